//! The bodies, as JSON Schema.

use serde_json::{Value, json};

/// Every schema, by name.
pub(super) fn schemas() -> Value {
    json!({
        "Amount": {
            "type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX,
            "description": "In minor units of the currency. It goes beyond 2^53: read it with a parser that keeps 64-bit integers."
        },
        "Currency": { "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code" },
        "Text": { "type": "string", "minLength": 1, "maxLength": 255, "description": "Without control characters, 255 bytes at most" },
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
        "Problem": problem()
    })
}

/// A reference to a schema.
pub(super) fn at(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
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
