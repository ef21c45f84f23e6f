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
    /// Each good answer: status, what it means, and its schema.
    pub(super) success: &'static [(u16, &'static str, Option<&'static str>)],
    /// The headers of the good answers, beside those of keys.
    pub(super) headers: &'static [&'static str],
    /// The headers of conditions that it looks at.
    pub(super) conditions: &'static [&'static str],
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
        success: &[(201, "The charge", Some("Charge"))],
        headers: &["Location"],
        conditions: &[],
        problems: &["card-declined"],
    },
    Route {
        method: "get",
        path: "/charge/{id}",
        summary: "Read a charge",
        key: Key::Ignored,
        body: None,
        success: &[(200, "The charge", Some("Charge"))],
        headers: &[],
        conditions: &[],
        problems: &["not-found"],
    },
    Route {
        method: "post",
        path: "/payments",
        summary: "Have a card processor make a payment: a leased operation",
        key: Key::Required,
        body: Some("PaymentRequest"),
        success: &[(201, "The payment", Some("Payment"))],
        headers: &["Location"],
        conditions: &[],
        problems: &[
            "card-declined",
            "operation-unknown",
            "operation-unfinished",
            "not-configured",
        ],
    },
    Route {
        method: "get",
        path: "/payments/{id}",
        summary: "Read a payment",
        key: Key::Ignored,
        body: None,
        success: &[(200, "The payment", Some("Payment"))],
        headers: &[],
        conditions: &[],
        problems: &["not-found"],
    },
    Route {
        method: "post",
        path: "/invoices",
        summary: "Make an invoice, whose tax another service computes: a leased operation",
        key: Key::Required,
        body: Some("InvoiceRequest"),
        success: &[(201, "The invoice", Some("Invoice"))],
        headers: &["Location", "ETag"],
        conditions: &[],
        problems: &[
            "tax-refused",
            "tax-unavailable",
            "operation-unknown",
            "operation-unfinished",
            "not-configured",
        ],
    },
    Route {
        method: "put",
        path: "/invoices/{id}",
        summary: "Create or replace an invoice; it comes to the same however often it is sent",
        key: Key::Ignored,
        body: Some("InvoiceRequest"),
        success: &[
            (200, "The invoice, replaced or as it was", Some("Invoice")),
            (201, "The new invoice", Some("Invoice")),
        ],
        headers: &["Location", "ETag"],
        conditions: &["IfMatch", "IfNoneMatch"],
        problems: &[
            "body-invalid",
            "body-incomplete",
            "body-too-large",
            "precondition-failed",
            "tax-refused",
            "tax-unavailable",
            "outcome-unknown",
            "not-configured",
        ],
    },
    Route {
        method: "get",
        path: "/invoices/{id}",
        summary: "Read an invoice",
        key: Key::Ignored,
        body: None,
        success: &[
            (200, "The invoice", Some("Invoice")),
            (304, "It is what `If-None-Match` names", None),
        ],
        headers: &["ETag"],
        conditions: &["IfNoneMatch"],
        problems: &["not-found"],
    },
    Route {
        method: "post",
        path: "/reserve",
        summary: "Reserve something that is in stock",
        key: Key::Required,
        body: Some("ReserveRequest"),
        success: &[(201, "The reservation", Some("Reservation"))],
        headers: &[],
        conditions: &[],
        problems: &["out-of-stock", "unknown-sku"],
    },
    Route {
        method: "put",
        path: "/carts/{id}",
        summary: "Create or replace a cart",
        key: Key::Ignored,
        body: Some("CartRequest"),
        success: &[
            (200, "The cart", Some("Cart")),
            (201, "The new cart", Some("Cart")),
        ],
        headers: &[],
        conditions: &[],
        problems: &[
            "body-invalid",
            "body-incomplete",
            "body-too-large",
            "outcome-unknown",
        ],
    },
    Route {
        method: "get",
        path: "/carts/{id}",
        summary: "Read a cart",
        key: Key::Ignored,
        body: None,
        success: &[(200, "The cart", Some("Cart"))],
        headers: &[],
        conditions: &[],
        problems: &["not-found"],
    },
    Route {
        method: "delete",
        path: "/carts/{id}",
        summary: "Delete a cart; deleting none is no error",
        key: Key::Ignored,
        body: None,
        success: &[(204, "There is no such cart now", None)],
        headers: &[],
        conditions: &[],
        problems: &["outcome-unknown"],
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
