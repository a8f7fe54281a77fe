//! Many threads, many that wait, and long names: the culprit is still seen at once, and numbers stand beside names.

use zctor::{ActorEngine, ActorThread, Context, Message, actor};
use zctor_console::{Console, fetch};
use zctor_tests::{Gate, bounded};

use crate::opened;

const WORKERS: usize = 60;
const CALLERS: usize = 30;

#[actor]
enum QuarterlyInvoiceReconciliationMessage<T> {
    #[reply(())]
    ReconcileTheWholeQuarter(Gate, T),
}

struct Reconciliation;

impl<T: Send + 'static> QuarterlyInvoiceReconciliationHandler<T> for Reconciliation {
    fn reconcile_the_whole_quarter(&mut self, gate: Gate, _: T) {
        gate.pass();
    }
}

type Reconcile = QuarterlyInvoiceReconciliationMessage<Option<Vec<Result<String, u64>>>>;

#[actor(calls(Reconcile))]
enum CustomerMessage {
    Close(Gate),
}

struct Customer;

impl CustomerHandler for Customer {
    fn close(&mut self, ctx: &mut Context<CustomerMessage>, gate: Gate) {
        let _ = ctx.call(Reconcile::reconcile_the_whole_quarter(gate, None));
    }
}

#[actor]
enum WorkMessage {
    Run,
}

struct Work;

impl WorkHandler for Work {
    fn run(&mut self) {}
}

#[test]
fn the_culprit_is_the_first_of_many_rows_and_long_names_hide_no_number() {
    bounded(|| {
        let engine = ActorEngine::builder().name("customer-relationship-synchronization").build();
        engine.pool(WORKERS, WorkMessage::actor(|| Work)).expect("they start");
        let late = ActorThread::named("reconciliation").register(Reconcile::actor(|| Reconciliation));
        engine.spawn(late).expect("it starts");
        let customers: CustomerClient = engine.pool(CALLERS, CustomerMessage::actor(|| Customer)).expect("they start");
        let gate = Gate::new();
        for _ in 0..CALLERS {
            customers.close(gate.clone()).expect("they live");
        }
        let console = Console::new(&engine).definitions([CustomerMessage::DEFINITION]);
        let served = console.serve_tcp("127.0.0.1:0").expect("a port is free");
        let is_stuck = || {
            let snapshot = fetch(&served.to_string()).expect("it is served");
            snapshot.waits.last().is_some_and(|root| root.handlers == CALLERS && root.longest >= 1.0)
        };
        while !is_stuck() {}
        opened("crowded", &served.to_string(), |page| {
            let first = "document.querySelector('#threads tbody tr')";
            page.until(&format!("{first}?.className === 'culprit'"));
            assert_eq!(page.text(&format!("{first}.cells[0].textContent")), "reconciliation 60 is stuck");
            // A column that the user sorts by is sorted whole.
            page.value("document.querySelector('#threads th button').click(); true");
            page.until(&format!("{first}.cells[0].textContent.endsWith(' {}')", WORKERS + CALLERS));
            // The chain of those that wait does not push all else out of sight.
            assert_eq!(page.text("document.querySelector('.chain .rest').textContent"), "… 22 more, further from it");
            assert_eq!(page.value("document.querySelectorAll('.chain li').length"), 10);
            assert_eq!(page.value("document.querySelector('#map').clientHeight < innerHeight"), true);

            page.resize(390, 844);
            page.until("innerWidth === 390");
            assert_eq!(page.value("document.documentElement.scrollWidth"), 390, "only tables and the map scroll");
            for table in ["types", "top"] {
                let cell = |at: usize| format!("document.querySelector('#{table} tbody tr').cells[{at}]");
                let is_seen = format!("{}.getBoundingClientRect().right <= innerWidth", cell(1));
                assert_eq!(page.value(&is_seen), true, "the first number stands beside the name in {table}");
                // At the last number the name is still there.
                page.value(&format!("document.querySelector('#{table} .scroll').scrollLeft = 10000"));
                page.until(&format!("{}.getBoundingClientRect().left >= 0", cell(0)));
            }
            let name = "[...document.querySelectorAll('#types tbody code')].find(one => one.textContent.startsWith('Quarterly'))";
            let is_whole =
                format!("(one => one.scrollWidth <= one.clientWidth && one.textContent.endsWith('>>>'))({name})");
            assert_eq!(page.value(&is_whole), true);
        });
        gate.open();
    });
}
