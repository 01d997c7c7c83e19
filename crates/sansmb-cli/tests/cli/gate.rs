//! A door between client and server that can be closed in the middle of a copy.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

/// Passes connections on to a server, and so many bytes in each direction.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Bytes that may still pass: to the server, to the client.
    left: [u64; 2],
    /// Somebody waits for more.
    held: bool,
    cut: bool,
    streams: Vec<TcpStream>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    ToServer = 0,
    ToClient = 1,
}

impl Gate {
    /// A gate before the server at this port of ours, which closes after so many bytes that way.
    pub(crate) fn before(server: u16, way: Way, bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut left = [u64::MAX; 2];
        left[way as usize] = bytes;
        let state = State { left, held: false, cut: false, streams: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let gate = Self { port, shared };
        let this = gate.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", server))) else {
                    continue;
                };
                let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                this.lock().streams.extend(both);
                let (there, back) = (this.clone(), this.clone());
                let (from_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || there.pass(Way::ToServer, from_client, server));
                thread::spawn(move || back.pass(Way::ToClient, from_server, client));
            }
        });
        gate
    }

    pub(crate) fn url(&self, path: &str) -> String {
        crate::server::url(self.port, "share", path)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    fn pass(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            let mut state = self.lock();
            while state.left[way as usize] < n as u64 && !state.cut {
                state.held = true;
                self.shared.changed.notify_all();
                state = self.shared.changed.wait(state).unwrap();
            }
            if state.cut {
                return;
            }
            state.left[way as usize] -= n as u64;
            drop(state);
            if to.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    /// Waits until somebody has come to the closed gate.
    pub(crate) fn wait_until_held(&self) {
        let mut state = self.lock();
        while !state.held {
            state = self.shared.changed.wait(state).unwrap();
        }
    }

    /// Lets everything pass.
    pub(crate) fn open(&self) {
        self.lock().left = [u64::MAX; 2];
        self.shared.changed.notify_all();
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.cut = true;
        state.streams.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        self.shared.changed.notify_all();
    }
}
