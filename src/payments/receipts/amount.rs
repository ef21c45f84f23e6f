//! An amount of money as people read it. Pure.

/// Currencies without minor units. Source: ISO 4217, list one.
const WHOLE: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];

/// Currencies whose unit has a thousand parts.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// `amount` minor units of `currency` as text: `42.00 USD`, `4200 JPY`, `4.200 KWD`. Currencies that
/// are not listed have hundredths.
pub(super) fn readable(amount: i64, currency: &str) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.unsigned_abs();
    let (parts, width) = if WHOLE.contains(&currency) {
        return format!("{sign}{amount} {currency}");
    } else if THOUSANDTHS.contains(&currency) {
        (1000, 3)
    } else {
        (100, 2)
    };
    let (units, rest) = (amount / parts, amount % parts);
    format!("{sign}{units}.{rest:0width$} {currency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_digits_of_its_currency() {
        for (amount, currency, text) in [
            (4200, "USD", "42.00 USD"),
            (7, "EUR", "0.07 EUR"),
            (4200, "JPY", "4200 JPY"),
            (1, "KRW", "1 KRW"),
            (4200, "KWD", "4.200 KWD"),
            (5, "BHD", "0.005 BHD"),
            (i64::MAX, "USD", "92233720368547758.07 USD"),
            (i64::MIN, "USD", "-92233720368547758.08 USD"),
        ] {
            assert_eq!(readable(amount, currency), text);
        }
    }
}
