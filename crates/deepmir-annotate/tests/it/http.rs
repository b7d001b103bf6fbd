//! Plain HTTP requests, with every header under the test's control.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// Sends one request; `headers` are whole lines.
pub fn request(port: u16, method: &str, path: &str, headers: &[String], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for header in headers {
        head += header;
        head += "\r\n";
    }
    stream.write_all((head + "\r\n").as_bytes()).unwrap();
    // A server that refuses early may close before everything is sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head, body: answer.get(end + 4..).unwrap_or_default().to_vec() }
}

/// As the page would ask, knowing the token.
pub fn ask(port: u16, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let headers = [
        format!("Host: 127.0.0.1:{port}"),
        format!("Authorization: Bearer {token}"),
        "Content-Type: application/json".to_owned(),
    ];
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    request(port, method, path, &headers, body.as_bytes())
}
