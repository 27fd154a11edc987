use std::io::{self, ErrorKind, Read};

use bytes::BytesMut;
use smtp_driver::io::read_into;
use smtp_driver::proto::session::Content;
use smtp_driver::{Source, Stream};

/// A reader of std's as the source of a message.
#[derive(Debug)]
pub struct Reader<R>(R);

impl<R: Read + Send> Source for Reader<R> {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let room = buffer.capacity() - buffer.len();
        loop {
            match read_into(buffer, room, |room| self.0.read(room)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// A message that is read while it is sent. `content` says what it is: [`Content::unknown`] where that is not known.
pub fn stream<R: Read + Send>(reader: R, content: Content) -> Stream<Reader<R>> {
    Stream::new(Reader(reader), content)
}
