// Servers of nodemailer's smtp-server for the interop tests: what they are sent, they save as it came.
//
// usage: node smtp_server.js CERT KEY DIR SIZE
//
// Prints `listening 127.0.0.1:PORT plain` (STARTTLS is offered there), the same for `tls` and for `lmtp`, then serves until
// it is killed. Message N becomes DIR/N.eml: a Received: field that says by what protocol it came, then its octets, unstuffed.
//
// Logs in alice with the password `secret`, or the token `token`. Recipients `nobody@…` are refused with 550, `later@…` with 451
// and `busy@…` with 421.

'use strict';
const fs = require('fs');
const { SMTPServer } = require('smtp-server');

const [cert, key, folder, size] = process.argv.slice(2);
const refused = { nobody: [550, '5.1.1 No such user'], later: [451, '4.3.0 Try again later'], busy: [421, '4.3.2 Too busy'] };
let number = 0;

const failure = (responseCode, message) => Object.assign(new Error(message), { responseCode });

function serve(name, options) {
    const server = new SMTPServer({
        name: 'nodemailer.example.test',
        cert: fs.readFileSync(cert),
        key: fs.readFileSync(key),
        size: Number(size),
        authOptional: true,
        allowInsecureAuth: true,
        authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2'],
        hideDSN: false,
        hideENHANCEDSTATUSCODES: false,
        hideREQUIRETLS: false,
        disableReverseLookup: true,
        onAuth(auth, session, done) {
            const good = auth.username === 'alice' && {
                'CRAM-MD5': () => auth.validatePassword('secret'),
                'XOAUTH2': () => auth.accessToken === 'token',
            }[auth.method]?.() || auth.username === 'alice' && auth.password === 'secret';
            done(good ? null : failure(535, '5.7.8 Wrong credentials'), good ? { user: auth.username } : undefined);
        },
        onRcptTo(address, session, done) {
            const refusal = refused[address.address.split('@')[0]];
            done(refusal ? failure(...refusal) : null);
        },
        onData(stream, session, done) {
            const path = `${folder}/${number++}`;
            const file = fs.createWriteStream(`${path}.part`);
            const protocol = (options.lmtp ? 'LMTP' : 'ESMTP') + (session.secure ? 'S' : '') + (session.user ? 'A' : '');
            file.write(`Received: by nodemailer.example.test with ${protocol}\r\n`);
            stream.pipe(file);
            file.on('finish', () => {
                if (stream.sizeExceeded) return done(failure(552, '5.3.4 Too big'));
                fs.renameSync(`${path}.part`, `${path}.eml`);
                const saved = '2.0.0 Saved';
                done(null, options.lmtp ? session.envelope.rcptTo.map(() => saved) : saved);
            });
        },
        ...options,
    });
    // Without a listener, one connection that is reset ends the process.
    server.on('error', () => {});
    server.listen(0, '127.0.0.1', () => console.log(`listening 127.0.0.1:${server.server.address().port} ${name}`));
}

serve('plain', {});
serve('tls', { secure: true });
serve('lmtp', { lmtp: true });
