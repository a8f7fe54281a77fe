//! Checks a file against the rules of the Trace Event Format, and those that Perfetto's importer adds.
//!
//! The format's document asks for an array of events, each with a phase `ph`, the numbers `pid` and `tid`, and a time `ts`
//! in microseconds. The importer sorts them by their times. Then it keeps a stack of bars for each track: an end closes
//! the innermost bar, whose name and category it repeats. The ends of an arrow share name, category and id, and each is
//! bound to the bar that is open on its track, so one outside of any bar is lost.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a file shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// How often each bar begins, by its name.
    pub(crate) bars: BTreeMap<String, u32>,
    /// Each arrow by the names of the two bars that it connects, and whether they are on two tracks.
    pub(crate) arrows: Vec<(String, String, bool)>,
}

type Track = (u64, u64);

/// What is open while the events are read.
#[derive(Default)]
struct Reader {
    stacks: BTreeMap<Track, Vec<(String, String)>>,
    started: BTreeMap<(String, String, String), (Track, String)>,
    named: BTreeSet<Track>,
    shown: Shown,
}

/// Reads a file; the error names the first event that breaks a rule, and the rule.
pub(crate) fn check(text: &str) -> Result<Shown, String> {
    let events: Vec<Value> = serde_json::from_str(text).map_err(|error| format!("no array in JSON: {error}"))?;
    let mut timed = Vec::new();
    let mut reader = Reader::default();
    for event in &events {
        let fail = |rule: String| format!("{rule}: {event}");
        let track = track(event).map_err(fail)?;
        match event["ph"].as_str() {
            Some("M") => reader.metadata(event, track).map_err(fail)?,
            Some(phase) => timed.push((time(event, "ts").map_err(fail)?, phase, track, event)),
            None => return Err(fail("`ph` is no string".to_owned())),
        }
    }
    // Stable: what has one time stays in the order of the file.
    timed.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (_, phase, track, event) in timed {
        reader.read(event, phase, track).map_err(|rule| format!("{rule}: {event}"))?;
    }
    reader.end()
}

fn track(event: &Value) -> Result<Track, String> {
    let number = |key: &str| {
        let number = event[key].as_u64().filter(|number| u32::try_from(*number).is_ok());
        number.ok_or_else(|| format!("`{key}` is no number of 32 bits"))
    };
    Ok((number("pid")?, number("tid")?))
}

/// A time in microseconds.
fn time(event: &Value, key: &str) -> Result<f64, String> {
    event[key].as_f64().filter(|time| *time >= 0.0).ok_or_else(|| format!("`{key}` is no number from 0 on"))
}

fn text(event: &Value, key: &str) -> Result<String, String> {
    let text = event[key].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("`{key}` is no text"))
}

impl Reader {
    fn metadata(&mut self, event: &Value, track: Track) -> Result<(), String> {
        text(&event["args"], "name")?;
        if text(event, "name")? == "thread_name" && !self.named.insert(track) {
            return Err("the track has a name already".to_owned());
        }
        Ok(())
    }

    fn read(&mut self, event: &Value, phase: &str, track: Track) -> Result<(), String> {
        if !self.named.contains(&track) {
            return Err("the track has no name".to_owned());
        }
        let bar = (text(event, "name")?, text(event, "cat")?);
        let stack = self.stacks.entry(track).or_default();
        match phase {
            "B" => {
                *self.shown.bars.entry(bar.0.clone()).or_default() += 1;
                stack.push(bar);
            }
            "E" => match stack.pop() {
                Some(open) if open == bar => {}
                Some((open, _)) => return Err(format!("it ends while `{open}` is the innermost bar")),
                None => return Err("it ends, and no bar is open".to_owned()),
            },
            "i" if matches!(event["s"].as_str(), Some("g" | "p" | "t")) => {}
            "i" => return Err("`s` of an instant is none of `g`, `p`, `t`".to_owned()),
            "s" | "f" => {
                let (around, _) = stack.last().cloned().ok_or("the end of an arrow is in no bar")?;
                return self.arrow(event, phase, bar, (track, around));
            }
            other => return Err(format!("the phase `{other}` is not expected here")),
        }
        Ok(())
    }

    fn arrow(&mut self, event: &Value, phase: &str, bar: (String, String), at: (Track, String)) -> Result<(), String> {
        let id = event["id"].as_u64().ok_or("`id` is no number")?;
        let arrow = (bar.0, bar.1, id.to_string());
        if phase == "s" {
            return match self.started.insert(arrow, at) {
                None => Ok(()),
                Some(_) => Err("another arrow with this id has started, and has not ended".to_owned()),
            };
        }
        if event["bp"].as_str() != Some("e") {
            return Err("without `bp` it ends at the next bar, not at the one around it".to_owned());
        }
        let (from, name) = self.started.remove(&arrow).ok_or("an arrow ends that has not started")?;
        self.shown.arrows.push((name, at.1, from != at.0));
        Ok(())
    }

    fn end(self) -> Result<Shown, String> {
        if let Some((name, _)) = self.stacks.values().flatten().next() {
            return Err(format!("`{name}` begins, and does not end"));
        }
        if let Some((name, ..)) = self.started.keys().next() {
            return Err(format!("an arrow `{name}` starts, and does not end"));
        }
        Ok(self.shown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    /// Two tracks; a bar on each; an arrow between them.
    fn events() -> Vec<Value> {
        vec![
            json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": 0, "args": {"name": "main"}}),
            json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": 1, "args": {"name": "shop"}}),
            json!({"ph": "B", "name": "ask", "cat": "a", "pid": 1, "tid": 0, "ts": 1.0}),
            json!({"ph": "s", "name": "sent", "cat": "z", "id": 7, "pid": 1, "tid": 0, "ts": 1.5}),
            json!({"ph": "E", "name": "ask", "cat": "a", "pid": 1, "tid": 0, "ts": 2.0}),
            json!({"ph": "B", "name": "answer", "cat": "a", "pid": 1, "tid": 1, "ts": 3.0}),
            json!({"ph": "f", "bp": "e", "name": "sent", "cat": "z", "id": 7, "pid": 1, "tid": 1, "ts": 3.0}),
            json!({"ph": "i", "s": "t", "name": "log", "cat": "a", "pid": 1, "tid": 1, "ts": 3.5}),
            json!({"ph": "E", "name": "answer", "cat": "a", "pid": 1, "tid": 1, "ts": 4.0}),
        ]
    }

    fn text(events: &[Value]) -> String {
        Value::from(events).to_string()
    }

    #[test]
    fn an_arrow_connects_two_bars_on_two_tracks() {
        let shown = check(&text(&events())).expect("it keeps the rules");
        assert_eq!(shown.arrows, [("ask".to_owned(), "answer".to_owned(), true)]);
        assert_eq!(shown.bars.into_iter().collect::<Vec<_>>(), [("answer".to_owned(), 1), ("ask".to_owned(), 1)]);
    }

    #[test]
    fn the_order_in_the_file_does_not_matter() {
        let mut events = events();
        events.reverse();
        events.swap(2, 3); // of one time: they stay in order
        assert!(check(&text(&events)).is_ok());
    }

    /// Each change of one field breaks the rule beside it.
    #[test]
    fn what_breaks_a_rule_is_named() {
        let broken: [(usize, &str, Value, &str); 16] = [
            (0, "args", json!({}), "`name` is no text"),
            (1, "tid", json!(0), "the track has a name already"),
            (1, "tid", json!(2), "the track has no name"),
            (2, "ts", json!("1"), "`ts` is no number from 0 on"),
            (2, "ts", json!(-1.0), "`ts` is no number from 0 on"),
            (2, "pid", json!("one"), "`pid` is no number of 32 bits"),
            (2, "ph", json!(66), "`ph` is no string"),
            (2, "ph", json!("Q"), "the phase `Q` is not expected here"),
            (2, "name", json!("other"), "it ends while `other` is the innermost bar"),
            (3, "ts", json!(2.5), "the end of an arrow is in no bar"),
            (3, "id", json!(8), "an arrow ends that has not started"),
            (4, "ts", json!(0.5), "it ends, and no bar is open"),
            (4, "tid", json!(1), "it ends, and no bar is open"),
            (6, "bp", Value::Null, "without `bp` it ends at the next bar"),
            (7, "s", json!("x"), "`s` of an instant"),
            (8, "ts", json!(2.5), "it ends, and no bar is open"),
        ];
        for (place, key, value, rule) in broken {
            let mut events = events();
            events[place][key] = value;
            let error = check(&text(&events)).expect_err(rule);
            assert!(error.starts_with(rule), "{rule}: {error}");
        }
        let without = |place| {
            let mut events = events();
            events.remove(place);
            check(&text(&events)).expect_err("something is missing")
        };
        assert!(without(8).starts_with("`answer` begins, and does not end"));
        assert!(without(6).starts_with("an arrow `sent` starts, and does not end"));
        assert!(check("{}").expect_err("it is no array").starts_with("no array in JSON"));
    }
}
