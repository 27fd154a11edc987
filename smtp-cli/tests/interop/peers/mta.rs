//! Those whose business is mail: they are given a message, queue it, and store it or relay it.

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use super::{Peer, done, own};
use crate::peer::{self, installed, interop, tool};
use crate::process::{listening, serve};
use crate::receiver::GREY;
use crate::room::{configure, open, port, room};
use crate::sender::Client;
use crate::store::{Files, Store};
use crate::targets::target;

pub(super) static POSTFIX: LazyLock<Peer> = LazyLock::new(|| {
    let root = installed("roots/postfix");
    let folder = room().folder("postfix");
    for folder in ["etc/sasl", "queue/pid", "data", "mail"] {
        fs::create_dir_all(room().folder("postfix").join(folder)).unwrap();
    }
    own("postfix", &folder.join("data"));
    own("nobody:nogroup", &folder.join("mail"));
    let (plain, tls, grey) = (port(), port(), postgrey());
    let relays = relays(|transport, domain, host, port| match transport {
        "lmtp" => format!("{domain}=lmtp:inet:127.0.0.1:{port} "),
        transport => format!("{domain}={transport}:[{host}]:{port} "),
    });
    let domains =
        relays.split(' ').filter_map(|relay| Some(relay.split_once('=')?.0)).collect::<Vec<_>>().join(" ");
    let values = [
        ("root", root.to_str().unwrap()),
        ("plain", &plain.to_string()),
        ("tls", &tls.to_string()),
        ("grey", &grey.to_string()),
        ("relays", &relays),
        ("domains", &domains),
    ];
    for (template, file) in [
        ("postfix-main.cf", "main.cf"),
        ("postfix-master.cf", "master.cf"),
        ("postfix-smtpd.conf", "sasl/smtpd.conf"),
    ] {
        configure(template, &folder.join("etc").join(file), &folder, &values);
    }
    let users = folder.join("etc/sasl/sasldb2");
    let mut user = Command::new("sh");
    user.args(["-c", "printf secret | saslpasswd2 -p -c -f \"$0\" -u example.test alice"]).arg(&users);
    done(&mut user);
    own("postfix", &users);
    // It makes the queue's folders, as whom they belong to.
    let mut start = peer::postfix("sbin/postfix");
    let path = format!("{}/usr/sbin:{}", root.display(), std::env::var("PATH").unwrap());
    done(start.arg("-c").arg(folder.join("etc")).arg("check").env("PATH", path));
    let mut master = peer::postfix("lib/postfix/sbin/master");
    serve(master.arg("-c").arg(folder.join("etc")).arg("-d").env("MAIL_CONFIG", folder.join("etc")));
    listening(plain);
    Peer {
        name: "Postfix",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice@example.test",
        submission: false,
        store: Store::Files(Files::maildirs(folder.join("mail"))),
    }
});

/// Starts what Postfix asks who is to be put off; gives the port.
fn postgrey() -> u16 {
    let folder = room().folder("postgrey");
    own("nobody:nogroup", &folder);
    // Copied: who it becomes need not reach where it was unpacked, and it loads some of itself then.
    done(Command::new("cp").arg("-r").arg(installed("roots/postgrey/usr")).arg(&folder));
    let root = folder.join("usr");
    let port = port();
    let mut command = tool("perl");
    // It runs with -T, which hears of no PERL5LIB. Without lists, nobody is spared.
    command.arg("-T").arg("-I").arg(root.join("share/perl5"));
    for version in fs::read_dir(root.join("lib/x86_64-linux-gnu/perl5")).unwrap() {
        command.arg("-I").arg(version.unwrap().path());
    }
    command.arg(root.join("sbin/postgrey")).arg(format!("--inet=127.0.0.1:{port}"));
    command.arg(format!("--dbdir={}", folder.display())).args(["--user=nobody", "--group=nogroup"]);
    command.args(["--delay=1", "--greylist-action=451 4.7.1"]);
    serve(command.args(["--whitelist-clients=/dev/null", "--whitelist-recipients=/dev/null"]));
    listening(port);
    port
}

pub(super) static EXIM: LazyLock<Peer> = LazyLock::new(|| {
    let folder = room().folder("exim");
    for folder in ["spool", "log", "mail"] {
        own("Debian-exim", &room().folder(&format!("exim/{folder}")));
    }
    // It starts itself again as another user, who need not reach where it was unpacked.
    let program = folder.join("exim4");
    fs::copy(installed("roots/exim4-daemon-light/usr/sbin/exim4"), &program).unwrap();
    open(&program, 0o4755);
    // A configuration that others may write to, or that lies where they may, is refused.
    open(&folder, 0o755);
    let (plain, tls) = (port(), port());
    let relays = relays(|transport, domain, host, port| {
        let name = domain.replace('.', "_");
        format!(
            "{name}:\n  driver = manualroute\n  domains = {domain}\n  route_list = * {host}::{port} byname\n  self = send\n  \
             transport = {transport}\n"
        )
    });
    let values = [("plain", &*plain.to_string()), ("tls", &tls.to_string()), ("relays", &relays)];
    let configuration = folder.join("exim.conf");
    configure("exim.conf", &configuration, &folder, &values);
    serve(Command::new(&program).arg("-C").arg(configuration).args(["-bdf", "-q1s"]));
    listening(plain);
    Peer {
        name: "Exim",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "alice",
        submission: false,
        store: Store::Files(Files::maildirs(folder.join("mail"))),
    }
});

/// In a namespace of its own, as it has its queue at a fixed place.
pub(super) static OPENSMTPD: LazyLock<Peer> = LazyLock::new(|| {
    let folder = room().folder("opensmtpd");
    let mail = room().folder("opensmtpd/mail");
    own("nobody:nogroup", &mail);
    // A key that others may read is refused.
    fs::copy(&room().certificate, folder.join("certificate.pem")).unwrap();
    fs::copy(&room().key, folder.join("key.pem")).unwrap();
    open(&folder.join("key.pem"), 0o600);
    fs::write(folder.join("users"), "bob nobody\ncarol nobody\n").unwrap();
    let (plain, tls) = (port(), port());
    let values = [("plain", &*plain.to_string()), ("tls", &tls.to_string())];
    let configuration = folder.join("opensmtpd.conf");
    configure("opensmtpd.conf", &configuration, &folder, &values);
    let mut command = Command::new("unshare");
    command.arg("--mount").arg(interop("opensmtpd.sh")).arg(installed("roots/opensmtpd")).arg(configuration);
    serve(&mut command);
    listening(plain);
    Peer {
        name: "OpenSMTPD",
        plain,
        tls: Some(tls),
        lmtp: false,
        user: "",
        submission: false,
        store: Store::Files(Files::maildirs(mail)),
    }
});

/// What to say in a relay's configuration so that it relays to our servers: the transport, the recipients' domain, our host and port.
fn relays(tell: impl Fn(&str, &str, &str, u16) -> String) -> String {
    let mut told = String::new();
    for of in Client::ALL {
        let ours = target(of);
        told += &tell("plain", &format!("plain.{of}.test"), "127.0.0.1", ours.plain);
        told += &tell("starttls", &format!("starttls.{of}.test"), "localhost", ours.plain);
        told += &tell("secure", &format!("secure.{of}.test"), "localhost", ours.plain);
        told += &tell("lmtp", &format!("lmtp.{of}.test"), "127.0.0.1", ours.lmtp);
        told += &tell("plain", &format!("{GREY}{of}.test"), "127.0.0.1", ours.grey);
    }
    told
}
