//! Asks, and asks again: a bounded number of times, after waits that grow and are drawn by chance.

use std::future::Future;

use tokio::time::sleep;

use crate::backoff::Backoff;

/// How often somebody is asked, and after which waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tries {
    pub(super) most: u32,
    pub(super) backoff: Backoff,
}

impl Tries {
    /// The first answer of `ask`, or its last failure. `draw` is a uniform random number: callers who
    /// failed together do not come back together.
    pub(super) async fn make<T, E, F>(
        self,
        draw: impl Fn() -> u64 + Send,
        mut ask: impl FnMut() -> F + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: std::error::Error + Send + 'static,
        F: Future<Output = Result<T, E>> + Send,
    {
        let mut n_made = 1;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if self.most <= n_made {
                return Err(error);
            }
            tracing::debug!(
                n_made,
                error = &error as &dyn std::error::Error,
                "no answer; it is asked again"
            );
            drop(error);
            sleep(self.backoff.delay(n_made - 1, draw())).await;
            n_made += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("no answer, the {0}th time")]
    struct NoAnswer(usize);

    const TRIES: Tries = Tries {
        most: 4,
        backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(1)),
    };

    /// When each question was asked, in milliseconds, where the first `n_failures` are not answered
    /// and every draw is `drawn`.
    async fn asked(n_failures: usize, drawn: u64) -> (Vec<u128>, Result<(), NoAnswer>) {
        let (begun, asked) = (Instant::now(), Mutex::new(Vec::new()));
        let ask = || {
            let mut asked = asked.lock().unwrap();
            asked.push(begun.elapsed().as_millis());
            let n = asked.len();
            async move {
                if n_failures < n {
                    Ok(())
                } else {
                    Err(NoAnswer(n))
                }
            }
        };
        let end = TRIES.make(|| drawn, ask).await;
        (asked.into_inner().unwrap(), end)
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_are_drawn_from_intervals_that_double() {
        let (longest, half) = (u64::MAX, u64::MAX / 2);
        let all = Err(NoAnswer(4));
        assert_eq!(asked(9, longest).await, (vec![0, 100, 300, 700], all));
        assert_eq!(asked(2, longest).await, (vec![0, 100, 300], Ok(())));
        let all = Err(NoAnswer(4));
        // Sleeps end at the next whole millisecond.
        assert_eq!(asked(9, half).await, (vec![0, 50, 150, 350], all));
        assert_eq!(asked(3, 0).await, (vec![0, 0, 0, 0], Ok(())));
        assert_eq!(asked(0, longest).await, (vec![0], Ok(())));
    }
}
