//! A way to the server that a test can stall and cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Passes the bytes of each connection on, until it is told otherwise. Its threads end with their connections.
#[derive(Clone)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    stalled: bool,
    /// Bytes to the server have come since it was stalled.
    holds_orders: bool,
    /// After so many more bytes to the server all connections are cut, in the middle of whatever they are.
    cut_after: Option<usize>,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// A way to the server at this port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let proxy = Self { port, shared: Arc::default() };
        let own = proxy.clone();
        spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(there) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                for (from, to, counts) in [(&client, &there, true), (&there, &client, false)] {
                    let (from, to) = (from.try_clone().expect("a copy"), to.try_clone().expect("a copy"));
                    let own = own.clone();
                    spawn(move || own.pump(from, to, counts));
                }
                own.lock().connections.extend([client, there]);
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Holds all bytes back, or lets them through again.
    pub(crate) fn stall(&self, stalled: bool) {
        let mut state = self.lock();
        (state.stalled, state.holds_orders) = (stalled, false);
        drop(state);
        self.shared.1.notify_all();
    }

    /// Whether it holds bytes back that are on their way to the server.
    pub(crate) fn holds_orders(&self) -> bool {
        self.lock().holds_orders
    }

    /// Cuts the connections after so many more bytes to the server.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.lock().cut_after = Some(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, counts: bool) {
        let mut bytes = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let mut state = self.lock();
            state.holds_orders |= counts && state.stalled;
            let state = self.shared.1.wait_while(state, |state| state.stalled);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            let left = state.cut_after.filter(|_| counts);
            let passes = left.map_or(count, |left| left.min(count));
            state.cut_after = if counts { left.map(|left| left - passes) } else { state.cut_after };
            let is_cut = left.is_some() && passes < count;
            if is_cut {
                state.cut_after = None;
            }
            let cut = if is_cut { std::mem::take(&mut state.connections) } else { Vec::new() };
            drop(state);
            let written = to.write_all(&bytes[..passes]);
            cut.into_iter().for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
            if is_cut || written.is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    }
}

fn spawn(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().spawn(body).expect("a thread");
}
