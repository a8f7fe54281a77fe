//! Accounts: each is served by one thread, and a transfer between two cannot deadlock.
//!
//! `#[key]` brings all messages of an account to the same instance, so a balance needs no lock. A transfer asks the two
//! accounts one after the other, from an actor of its own: accounts declare no calls, transfers declare
//! `calls(AccountMessage)`, so waits lead from transfers to accounts and never back. (Two accounts that called each
//! other would not compile.) Look at the money: eight threads move it to and fro, and not a penny appears or is lost.
//!
//! ```text
//! cargo run --example accounts
//! cargo test -p zctor-examples --features testing --example accounts
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, actor};

#[derive(Clone, Debug, PartialEq)]
enum Refused {
    NoAccount(u64),
    Insufficient { balance: u64 },
    TooLate,
}

#[actor]
#[derive(Clone, Debug, PartialEq)]
enum AccountMessage {
    /// Opens an account, or adds to it.
    Open {
        #[key]
        account: u64,
        amount: u64,
    },
    /// Adds to an account and gives its balance.
    #[reply(Result<u64, Refused>)]
    Deposit {
        #[key]
        account: u64,
        amount: u64,
    },
    /// Takes from an account and gives its balance.
    #[reply(Result<u64, Refused>)]
    Withdraw {
        #[key]
        account: u64,
        amount: u64,
    },
    /// Gives the sum over the accounts of one instance.
    #[reply(u64)]
    Sum,
}

#[actor(calls(AccountMessage))]
enum TransferMessage {
    /// Moves an amount. The outer error is zctor's, the inner one says why nothing was moved.
    #[reply(Result<Result<(), Refused>, CallError>)]
    Transfer { from: u64, to: u64, amount: u64 },
}

#[derive(Default)]
struct Accounts {
    balances: HashMap<u64, u64>,
}

struct Transfers;

impl AccountHandler for Accounts {
    fn open(&mut self, account: u64, amount: u64) {
        *self.balances.entry(account).or_default() += amount;
    }

    fn deposit(&mut self, account: u64, amount: u64) -> Result<u64, Refused> {
        let balance = self.balances.get_mut(&account).ok_or(Refused::NoAccount(account))?;
        *balance += amount;
        Ok(*balance)
    }

    fn withdraw(&mut self, account: u64, amount: u64) -> Result<u64, Refused> {
        let balance = self.balances.get_mut(&account).ok_or(Refused::NoAccount(account))?;
        *balance = balance.checked_sub(amount).ok_or(Refused::Insufficient { balance: *balance })?;
        Ok(*balance)
    }

    fn sum(&mut self) -> u64 {
        self.balances.values().sum()
    }
}

impl TransferHandler for Transfers {
    fn transfer(
        &mut self,
        ctx: &mut Context<TransferMessage>,
        from: u64,
        to: u64,
        amount: u64,
    ) -> Result<Result<(), Refused>, CallError> {
        // A withdrawal whose reply comes too late would lose the money. So the caller's deadline counts before it begins,
        // and then no more: the money arrives, or goes back.
        if ctx.caller_gone() {
            return Ok(Err(Refused::TooLate));
        }
        let committed = ctx.without_deadline();
        if let Err(refused) = committed.call(AccountMessage::withdraw(from, amount))? {
            return Ok(Err(refused));
        }
        let Err(refused) = committed.call(AccountMessage::deposit(to, amount))? else { return Ok(Ok(())) };
        if committed.call(AccountMessage::deposit(from, amount))?.is_err() {
            panic!("account {from} was closed during a transfer of {amount}"); // no message closes one
        }
        Ok(Err(refused))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    const ACCOUNTS: u64 = 50;
    const EACH: u64 = 1_000;

    let engine = ActorEngine::new();
    // Accounts first: what is called is started before its callers.
    let accounts = engine.pool(4, AccountMessage::actor(Accounts::default))?;
    let transfers = engine.pool(2, TransferMessage::actor(|| Transfers))?.within(Duration::from_secs(60));
    for account in 0..ACCOUNTS {
        accounts.open(account, EACH)?;
    }

    // From each account to any other, in both directions at once.
    let (mut moved, mut refused) = (0, 0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|seed| {
                let transfers = &transfers;
                scope.spawn(move || {
                    let outcomes = (0..200).map(|number| {
                        let (from, to) = (number * 7 + seed, number * 13 + seed * 5 + 1);
                        transfers.transfer(from % ACCOUNTS, to % ACCOUNTS, number * 11 % 700)
                    });
                    outcomes.map(|outcome| Ok(u32::from(outcome??.is_ok()))).collect::<Result<Vec<_>, CallError>>()
                })
            })
            .collect();
        for thread in threads {
            let outcomes = thread.join().map_err(|_| "a thread panicked")??;
            moved += outcomes.iter().sum::<u32>();
            refused += outcomes.iter().filter(|moved| **moved == 0).count();
        }
        Ok::<(), Box<dyn Error>>(())
    })?;

    // To an account that does not exist: the money goes back.
    assert_eq!(transfers.transfer(0, 999, 0)??, Err(Refused::NoAccount(999)));

    // A request to each of the four instances, without a key.
    let mut total = 0;
    for (_instance, sum) in accounts.call_all(AccountMessage::sum())? {
        total += sum?;
    }
    println!("{moved} transfers, {refused} refused, {total} in all");
    assert_eq!(moved as usize + refused, 1_600);
    assert_eq!(total, ACCOUNTS * EACH);

    println!("{}", engine.shutdown()?);
    Ok(())
}

#[cfg(test)]
#[path = "picture.rs"]
mod picture;

#[cfg(test)]
#[test]
fn the_picture_shows_the_definitions() {
    use zctor::Message;
    picture::shows("accounts.svg", [TransferMessage::DEFINITION]);
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use zctor::testing::{Mock, Port};

    use super::*;

    #[test]
    fn a_refused_deposit_gives_the_money_back() {
        let engine = ActorEngine::new();
        let accounts = Mock::<AccountMessage>::new()
            .script(Port::<AccountMessage>::Withdraw, [Ok(60)])
            .script(Port::<AccountMessage>::Deposit, [Err(Refused::NoAccount(2)), Ok(100)]);
        engine.pool(1, accounts.actor()).unwrap();
        let transfers = engine.pool(1, TransferMessage::actor(|| Transfers)).unwrap();

        assert_eq!(transfers.transfer(1, 2, 40), Ok(Ok(Err(Refused::NoAccount(2)))));
        let (from, to) = (1, 2);
        assert_eq!(
            accounts.messages(),
            [
                AccountMessage::Withdraw { account: from, amount: 40 },
                AccountMessage::Deposit { account: to, amount: 40 },
                AccountMessage::Deposit { account: from, amount: 40 },
            ]
        );
    }

    #[test]
    fn an_account_gives_no_more_than_it_has() {
        let mut accounts = Accounts::default();
        accounts.open(1, 30);
        assert_eq!(accounts.withdraw(1, 40), Err(Refused::Insufficient { balance: 30 }));
        assert_eq!(accounts.withdraw(1, 30), Ok(0));
        assert_eq!(accounts.deposit(2, 1), Err(Refused::NoAccount(2)));
    }
}
