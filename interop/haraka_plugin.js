// A plugin of Haraka's for the interop tests: what is sent, it saves as it came.
//
// Message N becomes mail/N.eml below Haraka's folder. Recipients `nobody@…` are refused with 550, `later@…` with 451 and `busy@…` with
// 421, after which the connection is closed.

'use strict';
const fs = require('node:fs');
const path = require('node:path');

const DSN = require('haraka-dsn');

let number = 0;

exports.hook_rcpt = function (next, connection, params) {
    switch (params[0].user) {
        case 'nobody': return next(DENY, DSN.create(550, 'No such user', 1, 1));
        case 'later': return next(DENYSOFT, DSN.create(451, 'Try again later', 3, 0));
        case 'busy': return next(DENYSOFTDISCONNECT, DSN.create(421, 'Too busy', 3, 2));
        default: return next(OK);
    }
};

exports.hook_queue = function (next, connection) {
    const file = path.join(process.env.HARAKA, 'mail', String(number++));
    const stream = fs.createWriteStream(`${file}.part`);
    stream.once('close', () => fs.rename(`${file}.part`, `${file}.eml`, () => next(OK)));
    connection.transaction.message_stream.pipe(stream);
};

// Of who has logged in, a message is for elsewhere.
exports.hook_queue_outbound = exports.hook_queue;
