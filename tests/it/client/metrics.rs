//! What the client says of itself.

use metrics_exporter_prometheus::PrometheusBuilder;
use oncely::client::Why;

use super::server::{Server, reply};
use super::{charge, client, done, patient};

#[test]
fn attempts_retries_hints_and_ends_are_counted_by_site() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let site = metrics::with_local_recorder(&recorder, || {
        oncely::telemetry::metrics::describe();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(a_retry_and_a_wait_that_is_too_long())
    });
    let text = handle.render();
    for line in [
        r#"attempts_total{site="SITE",answer="failed"} 1"#,
        r#"attempts_total{site="SITE",answer="success"} 1"#,
        r#"attempts_total{site="SITE",answer="throttled"} 1"#,
        r#"retries_total{site="SITE"} 1"#,
        r#"suppressed_total{site="SITE",reason="deadline"} 1"#,
        r#"outcomes_total{site="SITE",outcome="done"} 1"#,
        r#"outcomes_total{site="SITE",outcome="gave_up"} 1"#,
        r#"outcomes_total{site="SITE",outcome="unknown"} 0"#,
        // And what the trickle has brought since.
        r#"budget_tokens{site="SITE"} 9.1"#,
        r#"breaker_state{site="SITE"} 0"#,
        r#"retry_after_seconds_sum{site="SITE"} 3600"#,
    ] {
        let line = format!("oncely_client_{}", line.replace("SITE", &site));
        assert!(
            text.lines().any(|it| it.starts_with(&line)),
            "{line} is not in:\n{text}"
        );
    }
}

/// Returns the site's label.
async fn a_retry_and_a_wait_that_is_too_long() -> String {
    let server = Server::start(|n, _| async move {
        match n {
            0 => reply(500, &[], "{}"),
            1 => reply(201, &[], "{}"),
            _ => reply(429, &[("retry-after", "3600")], "{}"),
        }
    })
    .await;
    let client = client();
    done(client.run(&mut charge(&server), patient()).await);
    let error = client.run(&mut charge(&server), patient()).await;
    assert_eq!(error.unwrap_err().why, Why::Deadline);
    let host = server.url.trim_start_matches("http://");
    format!("POST {host}/charge")
}
