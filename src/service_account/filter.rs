//! What lists of service accounts and of keys can be sorted by.

use super::{ApiKey, ServiceAccount};
use crate::page::{self, Key};

page::list_filter! {
    /// All service accounts.
    all ServiceCondition
}

page::list_order! {
    /// The order of a list of service accounts.
    ServiceOrder /
    /// What lists of service accounts can be sorted by.
    ServiceOrderField of ServiceAccount, id "service_account.id", first Desc {
        /// When they were made.
        CreatedAt "createdAt" "service_account.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "service_account.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

page::list_filter! {
    /// All keys.
    all KeyCondition
}

page::list_order! {
    /// The order of a list of API keys.
    KeyOrder /
    /// What lists of API keys can be sorted by.
    KeyOrderField of ApiKey, id "api_key.id", first Desc {
        /// When they were made.
        CreatedAt "createdAt" "api_key.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}
