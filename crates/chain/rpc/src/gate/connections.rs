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

/// All open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    opened: AtomicU64,
    websockets: AtomicUsize,
    max: usize,
    max_websockets: usize,
    /// What the connections' times count from.
    started: Instant,
}

impl Connections {
    pub(crate) fn new(max: u32, max_websockets: u32) -> Arc<Self> {
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
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.open.lock();
        if open.len() >= self.max {
            let silent = open.values().filter(|one| !one.busy.load(Relaxed) && !one.websocket.load(Relaxed));
            let longest = silent.min_by_key(|one| one.moved_at.load(Relaxed))?.id;
            open.remove(&longest)?.close();
        }
        let connection = Arc::new(Connection {
            id: self.opened.fetch_add(1, Relaxed),
            peer,
            moved_at: AtomicU64::new(self.now()),
            busy: AtomicBool::new(false),
            websocket: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        open.insert(connection.id, connection.clone());
        Some(Place { connection, all: self.clone() })
    }

    /// Closes connections that nothing moved on for this long, unless they are being answered.
    pub(super) fn close_silent(&self, for_longer_than: Duration) {
        let before = self.now().saturating_sub(for_longer_than.as_millis() as u64);
        self.open.lock().retain(|_, one| {
            let keep = one.busy.load(Relaxed) || one.websocket.load(Relaxed) || one.moved_at.load(Relaxed) >= before;
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
pub(crate) struct Place {
    pub(crate) connection: Arc<Connection>,
    all: Arc<Connections>,
}

impl Place {
    /// Something was read or written.
    pub(super) fn moved(&self) {
        self.connection.moved_at.store(self.all.now(), Relaxed);
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
    moved_at: AtomicU64,
    /// Whether a request is being answered.
    busy: AtomicBool,
    websocket: AtomicBool,
    closed: AtomicBool,
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
}

impl Connection {
    /// What tells its subscriptions from those of others.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// When something was read or written last, in milliseconds from some moment on.
    pub(crate) fn moved_at(&self) -> u64 {
        self.moved_at.load(Relaxed)
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.load(Relaxed)
    }

    /// Reads and writes fail from now on, which ends whoever serves it.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.reader.wake();
        self.writer.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Whether a request is being answered: it is not the client then who keeps us waiting.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Relaxed);
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
        for (place, moved_at) in places.iter().zip([5, 3, 4]) {
            place.connection.moved_at.store(moved_at, Relaxed);
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
}
