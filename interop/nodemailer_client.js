// Delivers one message with nodemailer, for the interop tests.
//
// usage: node nodemailer_client.js PORT plain|starttls|tls|lmtp CA AUTH USER PASSWORD FROM FILE [--dsn] TO…
//
// AUTH is `-`, or that mechanism and no other. Exits 0 if every recipient was accepted.

'use strict';
const fs = require('fs');
const nodemailer = require('nodemailer');

const [port, security, ca, mechanism, user, password, from, file, ...rest] = process.argv.slice(2);
const dsn = rest[0] === '--dsn' && rest.shift();
const logins = {
    '-': {},
    'XOAUTH2': { auth: { type: 'OAuth2', user, accessToken: password } },
};
const transport = nodemailer.createTransport({
    host: 'localhost',
    port: Number(port),
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'plain' || security === 'lmtp',
    lmtp: security === 'lmtp',
    tls: { ca: fs.readFileSync(ca) },
    ...logins[mechanism] ?? { authMethod: mechanism, auth: { user, pass: password } },
});
transport.sendMail({
    envelope: { from, to: rest, use8BitMime: true },
    raw: fs.readFileSync(file),
    dsn: dsn ? { id: 'interop', return: 'headers', notify: ['failure', 'delay'], recipient: from } : undefined,
}, (error, info) => {
    transport.close();
    if (error || info.rejected.length > 0) {
        console.error(error ?? info);
        process.exit(1);
    }
});
