//! Who is connected. When all places are taken, a newcomer gets the place of whoever has been silent for longest; connections that
//! are being answered and WebSockets, which have bounds of their own, keep theirs.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

/// Calls of one WebSocket that are carried out at the same time.
const CALLS: usize = 8;
/// Calls of one WebSocket that may wait; nothing is read from it while there are more.
const WAITING_CALLS: usize = 32;
/// Bytes of answers that a WebSocket may leave unread before no more of its calls are carried out.
const UNREAD_BYTES: u64 = 1 << 20;

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    opened: AtomicU64,
    websockets: AtomicUsize,
    max: usize,
    max_websockets: usize,
    /// What the connections' times count from.
    started: Instant,
}

impl Connections {
    pub(super) fn new(max: u32, max_websockets: u32) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            opened: AtomicU64::new(0),
            websockets: AtomicUsize::new(0),
            max: max as usize,
            max_websockets: max_websockets as usize,
            started: Instant::now(),
        })
    }

    /// A place for a new connection; `None` if there is none and nobody can be asked to leave.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.open.lock();
        if open.len() >= self.max {
            let silent = open.values().filter(|one| !one.busy.load(Relaxed) && !one.websocket.load(Relaxed));
            let longest = silent.min_by_key(|one| one.heard_at.load(Relaxed))?.id;
            open.remove(&longest)?.close();
        }
        let connection = Arc::new(Connection {
            id: self.opened.fetch_add(1, Relaxed),
            peer,
            heard_at: AtomicU64::new(self.now()),
            busy: AtomicBool::new(false),
            websocket: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            calls: Semaphore::new(CALLS),
            waiting: AtomicUsize::new(0),
            unread: AtomicU64::new(0),
            was_read: Notify::new(),
        });
        open.insert(connection.id, connection.clone());
        Some(Place { connection, all: self.clone() })
    }

    /// Closes connections that nothing moved on for this long, unless they are being answered.
    pub(super) fn close_silent(&self, for_longer_than: Duration) {
        let before = self.now().saturating_sub(for_longer_than.as_millis() as u64);
        self.open.lock().retain(|_, one| {
            let keep = one.busy.load(Relaxed) || one.websocket.load(Relaxed) || one.heard_at.load(Relaxed) >= before;
            if !keep {
                one.close();
            }
            keep
        });
    }

    /// Whether this connection may become a WebSocket; it then counts as one until it closes.
    pub(super) fn upgrade(&self, connection: &Connection) -> bool {
        let more = |now| (now < self.max_websockets).then_some(now + 1);
        let has_room = self.websockets.fetch_update(Relaxed, Relaxed, more).is_ok();
        if has_room {
            connection.websocket.store(true, Relaxed);
        }
        has_room
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

/// One of the places. Dropping it gives the place free.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Place {
    /// Something was read or written.
    pub(super) fn moved(&self) {
        self.connection.heard_at.store(self.all.now(), Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.connection.websocket.load(Relaxed) {
            self.all.websockets.fetch_sub(1, Relaxed);
        }
        self.all.open.lock().remove(&self.connection.id);
    }
}

/// One connection, as its socket, its requests and the table of all see it.
#[derive(Debug)]
pub(crate) struct Connection {
    id: u64,
    /// The other end.
    pub(super) peer: IpAddr,
    /// When something was read or written last, in milliseconds.
    heard_at: AtomicU64,
    /// Whether a request is being answered.
    busy: AtomicBool,
    websocket: AtomicBool,
    closed: AtomicBool,
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
    calls: Semaphore,
    waiting: AtomicUsize,
    unread: AtomicU64,
    was_read: Notify,
}

impl Connection {
    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.load(Relaxed)
    }

    /// Reads and writes fail from now on, which ends whoever serves it.
    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.reader.wake();
        self.writer.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Whether a request is being answered: it is not the client then who keeps us waiting.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Relaxed);
    }

    /// Whether more may be read: not while a WebSocket has more calls waiting than it should.
    pub(super) fn may_read(&self) -> bool {
        self.waiting.load(Relaxed) <= WAITING_CALLS
    }

    /// Bytes left for the client.
    pub(super) fn wrote(&self, bytes: usize) {
        if self.websocket.load(Relaxed) {
            let less = |unread: u64| Some(unread.saturating_sub(bytes as u64));
            let _ = self.unread.fetch_update(Relaxed, Relaxed, less);
            self.was_read.notify_waiters();
        }
    }

    /// Carries out a call whose answer has this many bytes (none if it has no answer). A WebSocket's calls wait for each other,
    /// and for a client that does not read what it was answered.
    pub(super) async fn carry_out<T>(&self, call: impl Future<Output = T>, bytes: impl FnOnce(&T) -> usize) -> T {
        if !self.websocket.load(Relaxed) {
            return call.await;
        }
        let _waiting = Waiting::new(self);
        let _place = self.calls.acquire().await;
        loop {
            let read = self.was_read.notified();
            if self.unread.load(Relaxed) <= UNREAD_BYTES {
                break;
            }
            read.await;
        }
        let answer = call.await;
        self.unread.fetch_add(bytes(&answer) as u64, Relaxed);
        answer
    }
}

/// A call that is not done yet.
struct Waiting<'a>(&'a Connection);

impl<'a> Waiting<'a> {
    fn new(connection: &'a Connection) -> Self {
        connection.waiting.fetch_add(1, Relaxed);
        Self(connection)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
        if self.0.may_read() {
            self.0.reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_newcomer_takes_the_place_of_the_most_silent() {
        let all = Connections::new(3, 1);
        let places: Vec<Place> = (0..3).map(|_| all.admit(PEER).unwrap()).collect();
        for (place, heard_at) in places.iter().zip([5, 3, 4]) {
            place.connection.heard_at.store(heard_at, Relaxed);
        }
        places[1].connection.set_busy(true);
        let fourth = all.admit(PEER).unwrap();
        assert!(places[2].connection.is_closed() && !places[0].connection.is_closed());
        fourth.connection.set_busy(true);
        assert!(all.upgrade(&places[0].connection));
        assert!(all.admit(PEER).is_none(), "nobody is silent");
        drop(places);
        assert_eq!(all.open.lock().len(), 1);
        assert_eq!(all.websockets.load(Relaxed), 0);
    }

    #[test]
    fn websockets_leave_room_for_others() {
        let all = Connections::new(4, 2);
        let places: Vec<Place> = (0..3).map(|_| all.admit(PEER).unwrap()).collect();
        let upgraded: Vec<bool> = places.iter().map(|place| all.upgrade(&place.connection)).collect();
        assert_eq!(upgraded, [true, true, false]);
        drop(places);
        assert!(all.upgrade(&all.admit(PEER).unwrap().connection));
    }

    #[test]
    fn silence_closes_and_an_answer_in_the_making_does_not() {
        let all = Connections::new(4, 2);
        let (silent, busy) = (all.admit(PEER).unwrap(), all.admit(PEER).unwrap());
        busy.connection.set_busy(true);
        all.close_silent(Duration::from_secs(1));
        assert!(!silent.connection.is_closed(), "nobody has been silent for a second");
        std::thread::sleep(Duration::from_millis(5));
        all.close_silent(Duration::ZERO);
        assert!(silent.connection.is_closed() && !busy.connection.is_closed());
    }

    #[tokio::test]
    async fn calls_wait_for_a_client_that_does_not_read() {
        let all = Connections::new(1, 1);
        let place = all.admit(PEER).unwrap();
        let connection = &place.connection;
        assert!(all.upgrade(connection));
        connection.carry_out(async {}, |()| 2 * UNREAD_BYTES as usize).await;
        let mut next = std::pin::pin!(connection.carry_out(async {}, |()| 1));
        assert!(futures::poll!(&mut next).is_pending());
        connection.wrote(UNREAD_BYTES as usize);
        assert!(futures::poll!(&mut next).is_ready());
    }

    #[tokio::test]
    async fn nothing_is_read_while_many_calls_wait() {
        let all = Connections::new(1, 1);
        let place = all.admit(PEER).unwrap();
        let connection = &place.connection;
        assert!(all.upgrade(connection));
        let calls = (0..=WAITING_CALLS).map(|_| Box::pin(connection.carry_out(std::future::pending::<()>(), |()| 0)));
        let mut calls: Vec<_> = calls.collect();
        for call in &mut calls {
            assert!(futures::poll!(call).is_pending());
        }
        assert!(!connection.may_read());
        calls.pop();
        assert!(connection.may_read());
    }
}
