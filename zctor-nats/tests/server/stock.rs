//! A program that knows the protocol of NATS and nothing of bridges, as one in another language does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use zctor_tests::LIMIT;

pub(crate) struct Stock {
    stream: BufReader<TcpStream>,
    next: u32,
}

/// A message that came to a reply subject.
#[derive(Debug)]
pub(crate) struct Reply {
    /// As they are on the wire: a status line, then a line for each.
    pub(crate) headers: String,
    pub(crate) payload: Vec<u8>,
}

/// A message, as it is on the wire.
pub(crate) struct Heard {
    /// The id of the subscription by which it came.
    id: String,
    pub(crate) reply: String,
    headers: String,
    pub(crate) payload: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("text")
    }
}

impl Stock {
    pub(crate) fn connect(port: u16) -> Self {
        Self::connect_as(port, "")
    }

    /// The same, with more fields of its greeting.
    pub(crate) fn connect_as(port: u16, fields: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server is there");
        stream.set_read_timeout(Some(LIMIT)).expect("it can be set");
        let mut stock = Self { stream: BufReader::new(stream), next: 0 };
        stock.write(&format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true{fields}}}\r\n"
        ));
        stock
    }

    fn write(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("the server is there");
    }

    pub(crate) fn publish(&mut self, subject: &str, payload: &[u8]) {
        self.publish_with_reply(subject, "", payload);
    }

    pub(crate) fn publish_with_reply(&mut self, subject: &str, reply: &str, payload: &[u8]) {
        self.write(&format!("PUB {subject} {reply} {}\r\n", payload.len()));
        self.stream.get_mut().write_all(&[payload, b"\r\n"].concat()).expect("the server is there");
    }

    /// Sends a request, and waits for its first reply.
    pub(crate) fn request(&mut self, subject: &str, payload: impl AsRef<[u8]>) -> Reply {
        self.next += 1;
        let number = self.next;
        self.write(&format!("SUB _INBOX.stock.{number} {number}\r\n"));
        self.publish_with_reply(subject, &format!("_INBOX.stock.{number}"), payload.as_ref());
        loop {
            let Heard { id, headers, payload, .. } = self.hear();
            if id == number.to_string() {
                return Reply { headers, payload };
            }
        }
    }

    /// Listens to a subject, as `nats sub` does, once the server knows that.
    pub(crate) fn listen(&mut self, subject: &str) {
        self.write(&format!("SUB {subject} listens\r\nPING\r\n"));
        let mut line = String::new();
        while !line.starts_with("PONG") {
            line.clear();
            self.stream.read_line(&mut line).expect("the server speaks");
            assert!(!line.is_empty() && !line.starts_with("-ERR"), "the server says {line:?}");
        }
    }

    /// Waits for the next message.
    pub(crate) fn hear(&mut self) -> Heard {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the server speaks");
            let words: Vec<&str> = line.split_whitespace().collect();
            let length = |word: usize| words[word].parse::<usize>().expect("a length");
            // Without the subject, the subscription and the sizes, there is a reply subject or nothing.
            let (headers, all, others) = match words.first() {
                Some(&"PING") => {
                    self.write("PONG\r\n");
                    continue;
                }
                Some(&"MSG") => (0, length(words.len() - 1), 4),
                Some(&"HMSG") => (length(words.len() - 2), length(words.len() - 1), 5),
                Some(&"-ERR") | None => panic!("the server says {line:?}"),
                _ => continue,
            };
            let mut bytes = vec![0; all + 2];
            self.stream.read_exact(&mut bytes).expect("the server speaks");
            bytes.truncate(all);
            let payload = bytes.split_off(headers);
            let (id, reply) = (words[2].to_owned(), if words.len() > others { words[3] } else { "" });
            let headers = String::from_utf8(bytes).expect("text");
            return Heard { id, reply: reply.to_owned(), headers, payload };
        }
    }
}
