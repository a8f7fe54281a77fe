//! Banking: transfers between accounts, each of two accounts that must agree.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};

use super::{PROGRAM, Random, program};
use crate::library::{Behaviour, Library, Need, Never};
use crate::measure::{Figure, Plan};
use crate::workloads::{LIMIT, Spec, sink};

const ACCOUNTS: u64 = 1_000;
const TRANSFERS: u64 = 10_000;
const BALANCE: u64 = 1_000_000;

pub(crate) const SPEC: Spec = Spec {
    name: "savina-banking",
    title: "Savina: banking",
    about: "A teller orders 10,000 transfers between 1,000 accounts; the giving account holds back all else until the \
            taking one has confirmed. No money may be lost.",
    needs: &[Need::Stop, Need::Many],
    ..PROGRAM
};

enum Order<L: Library> {
    /// What the accounts need to know: where they are, and who the teller is.
    Open(L::Address<Account<L>>, L::Address<Teller<L>>),
    Transfer {
        amount: u64,
        to: L::Address<Account<L>>,
    },
    Deposit {
        amount: u64,
        from: L::Address<Account<L>>,
    },
    Confirmed,
    Close,
}

struct Account<L: Library> {
    balance: u64,
    me: Option<L::Address<Self>>,
    teller: Option<L::Address<Teller<L>>>,
    /// Whether a transfer waits for its confirmation, and what came meanwhile.
    is_waiting: bool,
    held: VecDeque<Order<L>>,
    closed: Sender<u64>,
}

impl<L: Library> Account<L> {
    fn handle(&mut self, order: Order<L>) {
        match order {
            Order::Open(me, teller) => (self.me, self.teller) = (Some(me), Some(teller)),
            Order::Transfer { amount, to } => {
                self.balance -= amount;
                self.is_waiting = true;
                L::tell(&to, Order::Deposit { amount, from: self.me.clone().expect("it is open") });
            }
            Order::Deposit { amount, from } => {
                self.balance += amount;
                L::tell(&from, Order::Confirmed);
            }
            Order::Confirmed => {
                self.is_waiting = false;
                L::tell(self.teller.as_ref().expect("it is open"), Desk::Transferred);
            }
            Order::Close => self.closed.send(self.balance).expect("the outside waits"),
        }
    }
}

impl<L: Library> Behaviour for Account<L> {
    type Message = Order<L>;
    type Question = Never;

    fn receive(&mut self, order: Order<L>) {
        if self.is_waiting && !matches!(order, Order::Confirmed) {
            self.held.push_back(order);
            return;
        }
        self.handle(order);
        while !self.is_waiting
            && let Some(order) = self.held.pop_front()
        {
            self.handle(order);
        }
    }
}

enum Desk {
    Start,
    Transferred,
}

struct Teller<L: Library> {
    accounts: Vec<L::Address<Account<L>>>,
    transferred: u64,
    done: Sender<u64>,
}

impl<L: Library> Behaviour for Teller<L> {
    type Message = Desk;
    type Question = Never;

    fn receive(&mut self, message: Desk) {
        match message {
            Desk::Start => {
                let mut random = Random::new(42);
                for _ in 0..TRANSFERS {
                    // The taker always comes after the giver, so nobody waits in a circle.
                    let from = random.below(ACCOUNTS / 10 * 8);
                    let to = from + 1 + random.below(ACCOUNTS - from - 1);
                    let to = self.accounts[to as usize].clone();
                    L::tell(&self.accounts[from as usize], Order::Transfer { amount: random.below(100), to });
                }
            }
            Desk::Transferred => {
                self.transferred += 1;
                if self.transferred == TRANSFERS {
                    self.done.send(self.transferred).expect("the outside waits");
                }
            }
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    program(plan, || {
        let (done, ends) = mpsc::channel();
        let (closed, balances) = mpsc::channel();
        let accounts: Vec<_> = (0..ACCOUNTS as usize)
            .map(|i| {
                let closed = closed.clone();
                library.spawn(i, move || Account::<L> {
                    balance: BALANCE,
                    me: None,
                    teller: None,
                    is_waiting: false,
                    held: VecDeque::new(),
                    closed,
                })
            })
            .collect();
        let all = accounts.clone();
        let teller = library.spawn(0, move || Teller::<L> { accounts: all, transferred: 0, done });
        accounts.iter().for_each(|account| L::tell(account, Order::Open(account.clone(), teller.clone())));
        L::tell(&teller, Desk::Start);
        sink::expect(&ends, TRANSFERS);
        accounts.iter().for_each(|account| L::tell(account, Order::Close));
        let total: u64 = accounts.iter().map(|_| balances.recv_timeout(LIMIT).expect("an account closes")).sum();
        assert_eq!(total, ACCOUNTS * BALANCE);
        accounts.iter().for_each(L::stop);
        L::stop(&teller);
    })
}
