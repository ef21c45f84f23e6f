//! An invoice's money: whole minor units, and a tax that is rounded once.

use super::invoice::Line;

/// The largest subtotal, 2^62 − 1: with a tax of all of it, the total still is an `i64`.
pub(super) const SUBTOTAL_MOST: i64 = i64::MAX / 2;

/// One whole, in millionths.
pub(super) const WHOLE_PPM: i64 = 1_000_000;

/// What an invoice comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) subtotal: i64,
    pub(super) tax_rate_ppm: i64,
    pub(super) tax: i64,
    pub(super) total: i64,
}

/// Lines or a rate that no invoice may have. Both were checked when they came in.
#[derive(Debug, thiserror::Error)]
#[error("the lines or the tax rate are out of range")]
pub(super) struct OutOfRange;

/// The sum of `lines`; `None` where it is over [`SUBTOTAL_MOST`].
pub(super) fn subtotal(lines: &[Line]) -> Option<i64> {
    let sum = |sum: i64, line: &Line| sum.checked_add(line.amount);
    let sum = lines.iter().try_fold(0, sum);
    sum.filter(|it| *it <= SUBTOTAL_MOST)
}

impl Amounts {
    /// The tax is taken of the subtotal, not of each line, and rounded half up to a minor unit.
    pub(super) fn of(lines: &[Line], tax_rate_ppm: i64) -> Result<Self, OutOfRange> {
        let subtotal = subtotal(lines).ok_or(OutOfRange)?;
        if !(0..=WHOLE_PPM).contains(&tax_rate_ppm) {
            return Err(OutOfRange);
        }
        let whole = i128::from(WHOLE_PPM);
        let tax = (i128::from(subtotal) * i128::from(tax_rate_ppm) + whole / 2) / whole;
        let tax = i64::try_from(tax).ok().ok_or(OutOfRange)?;
        let total = subtotal.checked_add(tax).ok_or(OutOfRange)?;
        Ok(Self {
            subtotal,
            tax_rate_ppm,
            tax,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(amounts: &[i64]) -> Vec<Line> {
        let line = |amount: &i64| Line {
            description: "a line".to_owned(),
            amount: *amount,
        };
        amounts.iter().map(line).collect()
    }

    #[test]
    fn the_tax_is_of_the_sum_and_rounded_half_up_once() {
        for (amounts, ppm, tax) in [
            (&[1000][..], 190_000, 190),
            (&[1000], 0, 0),
            (&[1000], 1_000_000, 1000),
            (&[2], 250_000, 1),
            (&[1], 499_999, 0),
            (&[1], 500_000, 1),
            (&[10_000], 88_750, 888),
            // Line by line it would be 0.
            (&[1, 1, 1], 190_000, 1),
        ] {
            let amounts = Amounts::of(&lines(amounts), ppm).unwrap();
            assert_eq!(amounts.tax, tax, "{amounts:?}");
            assert_eq!(amounts.total, amounts.subtotal + tax);
        }
    }

    #[test]
    fn what_would_overflow_is_refused_and_the_largest_is_exact() {
        let most = Amounts::of(&lines(&[SUBTOTAL_MOST - 1, 1]), WHOLE_PPM).unwrap();
        assert_eq!(most.total, i64::MAX - 1);
        let odd = Amounts::of(&lines(&[9_007_199_254_740_993]), WHOLE_PPM).unwrap();
        assert_eq!(odd.tax, 9_007_199_254_740_993);
        for amounts in [
            &[SUBTOTAL_MOST, 1][..],
            &[i64::MAX, i64::MAX],
            &[i64::MAX, 1, 1],
        ] {
            assert!(Amounts::of(&lines(amounts), 0).is_err(), "{amounts:?}");
        }
        for ppm in [-1, WHOLE_PPM + 1, i64::MAX] {
            assert!(Amounts::of(&lines(&[1]), ppm).is_err(), "{ppm}");
        }
    }
}
