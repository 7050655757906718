//! How many transactions one source may send: a bucket of tokens for each, refilled at a constant rate.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A source may send what it could have sent in so many seconds at once.
const BURST_SECONDS: u32 = 10;
/// Sources that are remembered, at least.
const SOURCES: usize = 10_000;

/// The buckets of all sources, in bounded memory.
#[derive(Debug)]
pub(super) struct Buckets {
    per_second: u32,
    generations: Mutex<Generations>,
}

/// When the younger one is full it becomes the older one, and what was the older one is forgotten: a source is forgotten only when
/// at least [`SOURCES`] others came since its last transaction.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    /// Each source may send `per_second` transactions a second; 0 means any number.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, generations: Mutex::default() }
    }

    /// Takes a token, or says how long to wait for the next one. Programs on this machine are not limited.
    pub(super) fn take(&self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let source = source.to_canonical();
        if self.per_second == 0 || source.is_loopback() {
            return Ok(());
        }
        let (rate, most) = (f64::from(self.per_second), f64::from(self.per_second * BURST_SECONDS));
        let mut generations = self.generations.lock();
        let bucket = generations.bucket(subscriber(source), Bucket { tokens: most, at: now });
        let since = now.saturating_duration_since(bucket.at);
        bucket.tokens = since.as_secs_f64().mul_add(rate, bucket.tokens).min(most);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

impl Generations {
    fn bucket(&mut self, source: IpAddr, new: Bucket) -> &mut Bucket {
        if !self.young.contains_key(&source) && self.young.len() >= SOURCES {
            self.old = std::mem::take(&mut self.young);
        }
        let known = self.old.get(&source).copied();
        self.young.entry(source).or_insert(known.unwrap_or(new))
    }
}

/// Whose address it is: whoever has an IPv6 address has its whole /64.
pub(super) fn subscriber(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        source @ IpAddr::V4(_) => source,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4((0x0b00_0000 + number).into())
    }

    #[test]
    fn a_source_has_a_burst_and_then_the_rate() {
        let (buckets, start) = (Buckets::new(2), Instant::now());
        let sent = |at: Instant| (0..100).take_while(|_| buckets.take(source(1), at).is_ok()).count();
        assert_eq!(sent(start), 20);
        assert_eq!(buckets.take(source(1), start), Err(Duration::from_millis(500)));
        assert!(buckets.take(source(2), start).is_ok(), "another source has a bucket of its own");
        assert_eq!(sent(start + Duration::from_secs(3)), 6);
        assert_eq!(sent(start + Duration::from_secs(3600)), 20);
    }

    #[test]
    fn this_machine_is_not_limited_and_zero_means_no_limit() {
        let now = Instant::now();
        let (one, none) = (Buckets::new(1), Buckets::new(0));
        for _ in 0..100 {
            for here in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"] {
                assert!(one.take(here.parse().unwrap(), now).is_ok(), "{here}");
            }
            assert!(none.take(source(1), now).is_ok());
        }
    }

    #[test]
    fn the_addresses_of_one_ipv6_subscriber_share_a_bucket() {
        let (buckets, now) = (Buckets::new(1), Instant::now());
        let sent =
            (0..100u16).filter(|n| buckets.take(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, *n, 3, 4, *n).into(), now).is_ok());
        assert_eq!(sent.count(), 10);
        assert!(buckets.take("2001:db8:1:3::1".parse().unwrap(), now).is_ok());
    }

    #[test]
    fn many_sources_take_bounded_memory_and_do_not_free_each_other_soon() {
        let (buckets, now) = (Buckets::new(1), Instant::now());
        while buckets.take(source(0), now).is_ok() {}
        for other in 1..SOURCES as u32 {
            assert!(buckets.take(source(other), now).is_ok());
        }
        assert!(buckets.take(source(0), now).is_err());
        for other in 1..=5 * SOURCES as u32 {
            let _ = buckets.take(source(other), now);
        }
        let generations = buckets.generations.lock();
        assert!(generations.young.len() + generations.old.len() <= 2 * SOURCES);
    }
}
