//! Every route: what it takes, and what it answers.

/// What a route does about keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Without one it is 400.
    Required,
    /// It changes nothing, or comes to the same however often it is asked.
    Ignored,
}

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) key: Key,
    /// The schema of the body, by name.
    pub(super) body: Option<&'static str>,
    /// Status, what it means, and the schema of the answer.
    pub(super) success: (u16, &'static str, Option<&'static str>),
    /// Whether the answer says where the new resource is.
    pub(super) has_location: bool,
    /// The problems that this route alone has.
    pub(super) problems: &'static [&'static str],
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "post",
        path: "/charge",
        summary: "Charge a source: one transaction, and at most one charge for each key",
        key: Key::Required,
        body: Some("ChargeRequest"),
        success: (201, "The charge", Some("Charge")),
        has_location: true,
        problems: &["card-declined"],
    },
    Route {
        method: "get",
        path: "/charge/{id}",
        summary: "Read a charge",
        key: Key::Ignored,
        body: None,
        success: (200, "The charge", Some("Charge")),
        has_location: false,
        problems: &["not-found"],
    },
    Route {
        method: "post",
        path: "/payments",
        summary: "Have a card processor make a payment: a leased operation",
        key: Key::Required,
        body: Some("PaymentRequest"),
        success: (201, "The payment", Some("Payment")),
        has_location: false,
        problems: &[
            "card-declined",
            "operation-unknown",
            "operation-unfinished",
            "not-configured",
        ],
    },
];

/// The problems of each route, whatever it does.
pub(super) const OF_ALL: &[&str] = &[
    "unauthorized",
    "method-not-allowed",
    "internal",
    "store-unavailable",
];

/// The problems of each route with a key.
pub(super) const OF_KEYS: &[&str] = &[
    "key-missing",
    "key-invalid",
    "body-invalid",
    "body-incomplete",
    "body-too-large",
    "key-reused",
    "in-flight",
    "response-not-replayable",
    "outcome-unknown",
];
