//! The report on a world that has stopped: no thread can move, or one does not come back.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::simulated::record::Call;
use crate::sys::simulated::state::{On, State, Status};

impl State {
    /// The text if no thread can move: each thread, its wait, and its last step.
    pub(super) fn hang(&self) -> String {
        let mut text = format!("nobody can move, {:?} after the start:", self.now);
        for (id, member) in self.members.iter().enumerate() {
            let waits = match member.status {
                Status::Gone => continue,
                Status::Ready(_) => "is ready".to_owned(),
                Status::Blocked(On::Park, _) => match self.call_of(id) {
                    Some(Call { message, variant, to, .. }) => {
                        format!("waits for the reply of {to} to {message}::{variant}, or for mail or room")
                    }
                    None => "waits for mail, a reply or room".to_owned(),
                },
                Status::Blocked(On::Monitor(_), _) => {
                    "waits for the engine: to settle, to stop or to be stopped".to_owned()
                }
                Status::Blocked(On::End(other), _) => {
                    format!("waits for the end of {other} `{}`", self.members[other].name)
                }
                Status::Blocked(On::Time, _) => "sleeps".to_owned(),
                Status::Blocked(On::Change, _) => "waits until a condition holds, by `wait_until`".to_owned(),
            };
            let last = member.last.map_or_else(|| "none".to_owned(), |last| last.to_string());
            let _ = write!(text, "\n  {id} `{}` {waits}; its last step: {last}", member.name);
        }
        text
    }

    /// A call of this thread that is under way: of several always the same one.
    fn call_of(&self, id: usize) -> Option<&Call> {
        let of_thread = self.calls.values().filter(|call| call.thread == id);
        of_thread.min_by_key(|call| (call.to, call.message, call.variant))
    }

    /// The thread that has the token does not come back.
    pub(super) fn stuck(&self, patience: Duration) -> String {
        let member = &self.members[self.running];
        let last = member.last.map_or_else(|| "its start".to_owned(), |last| format!("`{last}`"));
        let doing = match member.stat_file.as_deref().and_then(is_asleep) {
            Some(true) => "It sleeps: it waits for something that is not zctor's",
            Some(false) => "It does not sleep: its code does not end",
            None => "Its code does not end, or it waits for something that is not zctor's",
        };
        format!(
            "{} `{}` has taken no step for {patience:?} of real time, after {last}. {doing}, while no other thread of the \
             simulation may run. Hold no lock across a send or a call, wait for no channel or thread of your own, and \
             sleep by `zctor::sleep`",
            self.running, member.name
        )
    }
}

/// The file in which Linux says whether this thread sleeps.
pub(super) fn stat_file_of_this_thread() -> Option<PathBuf> {
    let thread = std::fs::read_link("/proc/thread-self").ok()?;
    Some(Path::new("/proc").join(thread).join("stat"))
}

/// Whether a thread sleeps, by its file `stat`: the letter behind its name in parentheses.
fn is_asleep(stat_file: &Path) -> Option<bool> {
    let text = std::fs::read_to_string(stat_file).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.trim_start().starts_with(['S', 'D']))
}
