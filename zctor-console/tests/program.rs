//! The program `zctor-console`, run as a user runs it: it lists, prints and records what is served.

use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

use zctor::{ActorEngine, Context, actor};
use zctor_console::{Console, fetch, replay};
use zctor_tests::{Gate, bounded};

#[actor]
enum DatabaseMessage {
    #[reply(())]
    Load(Gate),
}

struct Database;

impl DatabaseHandler for Database {
    fn load(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(DatabaseMessage))]
enum WebMessage {
    Page(Gate),
}

struct Web;

impl WebHandler for Web {
    fn page(&mut self, ctx: &mut Context<WebMessage>, gate: Gate) {
        let _ = ctx.call(DatabaseMessage::load(gate));
    }
}

fn run(arguments: &[&str], sockets: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_zctor-console"));
    program.args(arguments).env("XDG_RUNTIME_DIR", sockets).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_prints_what_is_stuck_and_records_it() {
    bounded(|| {
        let folder = env::temp_dir().join(format!("zctor-program-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("there is a folder for temporary files");
        let engine = ActorEngine::builder().name("shop").build();
        let served = Console::new(&engine).serve_tcp("127.0.0.1:0").expect("a port is free");
        let place = served.to_string();
        let none = run(&[], &folder);
        assert!(none.status.success() && text(&none.stdout).starts_with("no program of this user serves"), "{none:?}");
        let well = run(&[&place, "--once"], &folder);
        assert!(well.status.success() && text(&well.stdout).ends_with("nothing waits\n"), "{well:?}");

        engine.pool(1, DatabaseMessage::actor(|| Database)).expect("it starts");
        let web: WebClient = engine.pool(1, WebMessage::actor(|| Web)).expect("it starts");
        let gate = Gate::new();
        web.page(gate.clone()).expect("it lives");
        while fetch(&place).expect("it is served").waits.is_empty() {}
        let stuck = text(&run(&[&place, "--once"], &folder).stdout);
        let last = stuck.lines().last().unwrap_or_default().trim();
        assert!(last.starts_with("`DatabaseMessage::Load` 0.0 RUNS for ") && last.contains(" on thread 0 "), "{stuck}");

        let file = folder.join("shop.jsonl");
        let recorded = run(&[&place, "--record", &file.display().to_string(), "1"], &folder);
        assert!(recorded.status.success() && text(&recorded.stdout).contains(" snapshots in "), "{recorded:?}");
        let snapshots = replay(&file).expect("it is a recording");
        assert!(snapshots.iter().all(|snapshot| snapshot.engine == "shop" && !snapshot.waits.is_empty()));
        assert!(!snapshots.is_empty());
        gate.open();

        drop(served);
        let gone = run(&[&place, "--once"], &folder);
        assert!(
            !gone.status.success() && text(&gone.stderr).starts_with("zctor-console: http://127.0.0.1:"),
            "{gone:?}"
        );
        let unknown = run(&[&place, "--twice"], &folder);
        assert!(!unknown.status.success() && text(&unknown.stderr).contains("is not understood"), "{unknown:?}");
        assert!(text(&unknown.stderr).contains("--replay FILE"), "it says how it is called: {unknown:?}");
        fs::remove_dir_all(&folder).expect("it is this test's");
    });
}
