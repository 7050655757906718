use std::{
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that systems give to outgoing connections and to who asks for any (on Linux 32768 and up): one of those may go to
/// somebody else between the choice and the start of the program that it is for, or while that program is started again.
const PORTS: Range<u32> = 10_000..32_000;

/// How far apart processes begin to look, so that tests that run side by side don't meet.
const STRIDE: u32 = 61;

/// A port of this machine that is free, and that no other call in this process answers.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (count, first) = (PORTS.end - PORTS.start, process::id().wrapping_mul(STRIDE));
    (0..count)
        .map(|_| PORTS.start + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count)
        .map(|port| u16::try_from(port).expect("the range is one of ports"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port is free")
}
