use std::io;

use bytes::BytesMut;
use smtp_driver::{Source, Stream};
use smtp_proto::session::Content;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A reader of tokio's as the source of a message.
#[derive(Debug)]
pub struct Reader<R>(R);

impl<R: AsyncRead + Unpin + Send> Source for Reader<R> {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        self.0.read_buf(buffer).await
    }
}

/// A message that is read while it is sent. `content` says what it is: [`Content::unknown`] where that is not known.
pub fn stream<R: AsyncRead + Unpin + Send>(reader: R, content: Content) -> Stream<Reader<R>> {
    Stream::new(Reader(reader), content)
}
