//! Chance that can be repeated.

use std::time::{Duration, SystemTime};

/// Numbers that look random and follow from one seed, which is printed: set
/// `REDRABBIT_SEED` to it to have them again.
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    pub fn new() -> Seed {
        let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = match std::env::var("REDRABBIT_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => clock().unwrap().as_nanos() as u64,
        };
        println!("REDRABBIT_SEED={seed}");
        Seed(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }

    /// A moment's wait, so that what follows comes at no time of its own.
    pub async fn moment(&mut self) {
        let wait = Duration::from_micros(self.below(200_000));
        tokio::time::sleep(wait).await;
    }
}

impl Default for Seed {
    fn default() -> Self {
        Seed::new()
    }
}
