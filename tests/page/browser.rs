//! Chromium without a window, driven by its own protocol (CDP) over a WebSocket.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Far beyond what anything here takes; only a failure waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// One tab of a browser of its own.
pub struct Browser {
    process: Child,
    socket: TcpStream,
    next: u64,
    _profile: TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium (package chromium)");
        let port_file = profile.path().join("DevToolsActivePort");
        let port = until(|| fs::read_to_string(&port_file).ok()?.lines().next()?.parse::<u16>().ok());
        let target = until(|| {
            let list: Value = serde_json::from_str(&get(port, "/json/list")?).ok()?;
            let page = list.as_array()?.iter().find(|target| target["type"] == "page")?;
            Some(page["webSocketDebuggerUrl"].as_str()?.to_owned())
        });
        let path = target.split_once(&format!(":{port}")).expect("its own port").1.to_owned();
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let ask = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dmlwd2FyZGVuIHRlc3Rz";
        write!(socket, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{ask}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut browser = Self { process, socket, next: 1, _profile: profile };
        browser.call("Page.enable", json!({}));
        browser
    }

    /// Has the browser do something, and waits for the result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "id": id, "method": method, "params": params }).to_string());
        loop {
            let message: Value = serde_json::from_str(&self.receive()).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Shows `url` in a window of this size, and waits until it is loaded and `ready` (an expression) holds.
    pub fn show(&mut self, url: &str, (width, height): (u32, u32), dark: bool, ready: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        self.call("Page.navigate", json!({ "url": url }));
        self.wait(&format!("location.href === {url:?} && document.readyState === 'complete' && !!({ready})"));
    }

    /// Waits until an expression holds.
    pub fn wait(&mut self, expression: &str) {
        let started = Instant::now();
        while self.eval(expression) != Value::Bool(true) {
            assert!(started.elapsed() < DEADLINE, "it never came to be: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression; of what it promises, if it does.
    pub fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", asked);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// A picture of the whole page, as PNG in base64.
    pub fn picture(&mut self) -> String {
        let shot = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": false }));
        shot["data"].as_str().unwrap().to_owned()
    }

    fn send(&mut self, text: &str) {
        let mut frame = vec![0x81];
        match text.len() {
            length @ ..126 => frame.push(0x80 | length as u8),
            length @ ..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        // A mask of zeros leaves the text as it is.
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.socket.write_all(&frame).unwrap();
    }

    fn receive(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let mut head = [0; 2];
            self.socket.read_exact(&mut head).unwrap();
            let mut length = u64::from(head[1] & 0x7f);
            if length >= 126 {
                let mut long = [0; 8];
                let start = if length == 126 { 6 } else { 0 };
                self.socket.read_exact(&mut long[start..]).unwrap();
                length = u64::from_be_bytes(long);
            }
            let mut part = vec![0; usize::try_from(length).unwrap()];
            self.socket.read_exact(&mut part).unwrap();
            text.extend(part);
            if head[0] & 0x80 != 0 {
                return String::from_utf8(text).unwrap();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own children.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "chromium does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut text = Vec::new();
    // It may keep the connection in spite of being asked not to: what has come by then is all.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}
