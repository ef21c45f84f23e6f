//! The bodies, as JSON Schema.

use serde_json::{Value, json};

/// Every schema, by name.
pub(super) fn schemas() -> Value {
    let rooms = [
        words(),
        charges_and_payments(),
        invoices(),
        stock_and_carts(),
    ];
    let members = rooms.iter().filter_map(Value::as_object).flatten();
    Value::Object(
        members
            .map(|(name, it)| (name.clone(), it.clone()))
            .collect(),
    )
}

/// What the others are made of.
fn words() -> Value {
    json!({
        "Amount": {
            "type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX,
            "description": "In minor units of the currency. It goes beyond 2^53: read it with a parser that keeps 64-bit integers."
        },
        "Currency": { "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code" },
        "Text": { "type": "string", "minLength": 1, "maxLength": 255, "description": "Without control characters, 255 bytes at most" },
        "Problem": problem()
    })
}

fn charges_and_payments() -> Value {
    json!({
        "ChargeRequest": {
            "type": "object", "required": ["amount", "currency", "source"],
            "properties": {
                "amount": at("Amount"), "currency": at("Currency"), "source": at("Text"),
                "sku": at("Text"),
                "quantity": { "type": "integer", "format": "int64", "minimum": 1 }
            }
        },
        "Charge": {
            "type": "object",
            "required": ["id", "amount", "currency", "source", "status", "created_at"],
            "properties": {
                "id": { "type": "string", "pattern": "^ch_" },
                "amount": at("Amount"), "currency": at("Currency"), "source": at("Text"),
                "sku": at("Text"),
                "quantity": { "type": "integer", "format": "int64", "minimum": 1 },
                "status": { "const": "succeeded" },
                "created_at": instant()
            }
        },
        "PaymentRequest": {
            "type": "object", "required": ["amount", "currency", "source"],
            "properties": {
                "amount": at("Amount"), "currency": at("Currency"), "source": at("Text")
            }
        },
        "Payment": {
            "type": "object",
            "required": ["id", "amount", "currency", "source", "status", "created_at"],
            "properties": {
                "id": { "type": "string", "pattern": "^pmt_" },
                "amount": at("Amount"), "currency": at("Currency"), "source": at("Text"),
                "status": { "const": "succeeded" },
                "processor_reference": { "type": "string" },
                "created_at": instant()
            }
        },
    })
}

fn invoices() -> Value {
    json!({
        "Line": {
            "type": "object", "required": ["description", "amount"],
            "properties": { "description": at("Text"), "amount": at("Amount") }
        },
        "InvoiceRequest": {
            "type": "object", "required": ["customer", "country", "currency", "lines"],
            "properties": {
                "customer": at("Text"), "country": country(), "currency": at("Currency"),
                "lines": { "type": "array", "minItems": 1, "maxItems": 1000, "items": at("Line") }
            }
        },
        "Invoice": {
            "type": "object",
            "required": ["id", "customer", "country", "currency", "lines", "subtotal", "tax_rate_ppm",
                "tax", "total", "created_at", "updated_at"],
            "properties": {
                "id": { "type": "string" },
                "customer": at("Text"), "country": country(), "currency": at("Currency"),
                "lines": { "type": "array", "items": at("Line") },
                "subtotal": at("Amount"),
                "tax_rate_ppm": { "type": "integer", "description": "In millionths of the subtotal" },
                "tax": { "type": "integer", "format": "int64", "description": "Rounded half up, once" },
                "total": at("Amount"), "created_at": instant(), "updated_at": instant()
            }
        },
    })
}

fn stock_and_carts() -> Value {
    json!({
        "ReserveRequest": item(&["sku", "quantity"], &json!({})),
        "Reservation": item(&["id", "sku", "quantity", "status", "created_at"], &json!({
            "id": { "type": "string", "pattern": "^rs_" },
            "status": { "const": "reserved" },
            "created_at": instant()
        })),
        "CartLine": item(&["sku", "quantity"], &json!({})),
        "CartRequest": {
            "type": "object", "required": ["lines"],
            "properties": { "lines": { "type": "array", "maxItems": 100, "items": at("CartLine") } }
        },
        "Cart": {
            "type": "object", "required": ["id", "lines"],
            "properties": {
                "id": at("Text"),
                "lines": { "type": "array", "maxItems": 100, "items": at("CartLine") }
            }
        },
    })
}

/// A reference to a schema.
pub(super) fn at(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// So many of an item, with what else is known of it.
fn item(required: &[&str], others: &Value) -> Value {
    let mut properties = json!({
        "sku": at("Text"),
        "quantity": { "type": "integer", "format": "int64", "minimum": 1 }
    });
    if let (Some(properties), Some(others)) = (properties.as_object_mut(), others.as_object()) {
        properties.extend(others.clone());
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn country() -> Value {
    json!({ "type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166 code" })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time", "description": "By the database's clock" })
}

fn problem() -> Value {
    let codes: Vec<&str> = crate::http::Code::ALL
        .iter()
        .map(|it| it.as_str())
        .collect();
    json!({
        "type": "object", "description": "A problem document (RFC 9457)",
        "required": ["type", "title", "status", "detail", "instance", "code", "retryable",
            "retry_same_key", "safe_new_key"],
        "properties": {
            "type": { "type": "string", "format": "uri", "pattern": "^urn:oncely:problem:" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "For people; it may change" },
            "instance": { "type": "string", "format": "uri" },
            "code": { "type": "string", "enum": codes },
            "retryable": { "type": "boolean", "description": "The same request may succeed later" },
            "retry_same_key": { "type": "boolean", "description": "A retry must carry the same key" },
            "safe_new_key": { "type": "boolean", "description": "A new key can't do it a second time" },
            "operation_ref": { "type": "string", "description": "By which an operator finds the record" }
        }
    })
}
