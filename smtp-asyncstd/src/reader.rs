use std::io;

use bytes::BytesMut;
use futures_lite::{AsyncRead, AsyncReadExt as _};
use smtp_driver::proto::session::Content;
use smtp_driver::{Source, Stream};

/// A reader of `futures-io`'s, which smol and async-std share, as the source of a message.
#[derive(Debug)]
pub struct Reader<R>(R);

impl<R: AsyncRead + Unpin + Send> Source for Reader<R> {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let start = buffer.len();
        buffer.resize(buffer.capacity(), 0);
        let read = self.0.read(&mut buffer[start..]).await;
        buffer.truncate(start + *read.as_ref().unwrap_or(&0));
        read
    }
}

/// A message that is read while it is sent. `content` says what it is: [`Content::unknown`] where that is not known.
pub fn stream<R: AsyncRead + Unpin + Send>(reader: R, content: Content) -> Stream<Reader<R>> {
    Stream::new(Reader(reader), content)
}
