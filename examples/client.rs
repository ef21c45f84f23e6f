//! A charge that is sent until it is done, with one key. The README shows the middle of this file.
//!
//! ```sh
//! ONCELY_AUTH_TOKENS=demo:demo-token cargo run -- dev
//! cargo run --example client --features client
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use std::time::Duration;

use oncely::client::{Client, Deadline, Operation, Outcome};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder().bearer_auth("demo-token").build()?;
    let order = serde_json::json!({"amount": 4200, "currency": "USD", "source": "tok_visa"});
    let mut charge = Operation::post("http://127.0.0.1:8080/charge").json(&order)?;
    // Keep it with the order before it is sent: `serde_json::to_string(&charge)?`.
    match client
        .run(&mut charge, Deadline::after(Duration::from_secs(20)))
        .await?
    {
        Outcome::Done(answer) => println!("paid: {}", answer.status),
        Outcome::Rejected(answer) => println!("refused: {}", answer.status),
        Outcome::Unknown { cause, .. } => println!("ask again in {:?}", cause.retry_after),
    }
    println!("{}", charge.transcript());
    Ok(())
}
