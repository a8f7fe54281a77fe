//! A headless Chromium that a test drives: by the DevTools protocol over a pair of pipes, so no port is open and no
//! further crate is needed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, thread};

use serde_json::{Value, json};

/// The program, which `CHROMIUM` may name.
fn program() -> String {
    env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned())
}

const ARGUMENTS: [&str; 5] =
    ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];

/// What is held while a key is pressed.
enum Held {
    Nothing,
    Control,
}

/// A page in a browser of its own, which ends with it.
pub(crate) struct Page {
    browser: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    /// The number of the last command.
    last: u64,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}

impl Page {
    /// Opens a page, and waits until it shows a look.
    pub(crate) fn open(place: &str, folder: &Path) -> Self {
        // The protocol is on the descriptors 3 and 4.
        let mut browser = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null"#, &program()])
            .args(ARGUMENTS)
            .args(["--remote-debugging-pipe", "--window-size=1320,900"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let (to, from) = (browser.stdin.take().expect("a pipe"), browser.stdout.take().expect("a pipe"));
        let mut page = Self { browser, to, from: BufReader::new(from), session: String::new(), last: 0 };
        let target = page.ask("Target.createTarget", json!({ "url": place }));
        let asked = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.ask("Target.attachToTarget", asked);
        page.session = session["sessionId"].as_str().expect("a session").to_owned();
        page.until("document.querySelector('#state')?.textContent === 'live'");
        page
    }

    /// Gives a command, and awaits its result.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let sent = write!(self.to, "{command}\0").and_then(|()| self.to.flush());
        sent.unwrap_or_else(|error| panic!("{}: {error}; install Chromium, or name it in CHROMIUM", program()));
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).expect("the browser answers");
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer)
                .unwrap_or_else(|error| panic!("{}: {error}; install Chromium, or name it in CHROMIUM", program()));
            // The other lines are events.
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let found = self.ask("Runtime.evaluate", asked);
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// The same, as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// Waits until an expression is true; the limit of the test bounds it.
    pub(crate) fn until(&mut self, expression: &str) {
        while self.value(expression) != json!(true) {
            thread::yield_now();
        }
    }

    /// Presses a key as a user does.
    pub(crate) fn press(&mut self, key: &str) {
        self.press_beside(key, Held::Nothing);
    }

    /// Presses a key while the control key is held.
    pub(crate) fn press_with_control(&mut self, key: &str) {
        self.press_beside(key, Held::Control);
    }

    fn press_beside(&mut self, key: &str, held: Held) {
        let (text, code) = match key {
            "Enter" => ("\r", 13),
            "Tab" => ("", 9),
            "PageDown" => ("", 34),
            letter => (letter, letter.chars().next().map_or(0, |letter| letter.to_ascii_uppercase() as u32)),
        };
        let (text, modifiers) = match held {
            Held::Nothing => (text, 0),
            Held::Control => ("", 2),
        };
        let kind = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for kind in [kind, "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code, "modifiers": modifiers,
            });
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// Gives the window this size.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    /// A picture of the window, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let taken = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        base64(taken["data"].as_str().expect("a picture"))
    }

    /// Has the page shown as for a user who asks for this theme: `light` or `dark`.
    pub(crate) fn theme(&mut self, theme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": theme });
        self.ask("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// The tree that a screen reader is given: the role and the name of each thing in the page that is more than text.
    pub(crate) fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.ask("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().expect("a tree").iter().filter(|node| node["ignored"] != json!(true));
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        let all = nodes.map(|node| (text(&node["role"]), text(&node["name"])));
        all.filter(|(role, _)| !["StaticText", "InlineTextBox", "generic"].contains(&role.as_str())).collect()
    }
}

/// The bytes of a text in base 64, which is how the protocol sends them.
fn base64(text: &str) -> Vec<u8> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().enumerate().fold(0_u32, |bits, (at, digit)| bits | u32::from(*digit) << (18 - 6 * at));
        let count = four.len() * 6 / 8;
        bits.to_be_bytes().into_iter().skip(1).take(count)
    });
    bytes.collect()
}
