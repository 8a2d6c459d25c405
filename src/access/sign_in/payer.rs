//! Who pays for a request.

use super::{Caller, Doorkeeper, PayerKey};
use crate::access::{api_key, token};
use crate::error::{Error, Result};
use uuid::Uuid;

fn payer_key(caller: Caller<'_>) -> Option<PayerKey> {
    Some((token::hash(caller.token?), caller.by_cookie))
}

impl Doorkeeper {
    /// Who is charged for a request: the staff member or the service account of its valid token or key; `None` if there
    /// is none or it is no longer valid. The result is cached for some seconds, or until the token is refused.
    pub async fn payer(&self, caller: Caller<'_>) -> Result<Option<Uuid>> {
        let Some(key) = payer_key(caller) else { return Ok(None) };
        if let Some(payer) = self.payer_looks.found(self.payers.get(&key)) {
            return Ok(Some(payer));
        }
        match self.open_scope(Caller { enrolling: true, reason: None, ..caller }, false).await {
            Ok(scope) => {
                let payer = scope.viewer().actor();
                scope.rollback().await;
                if let Some(payer) = payer {
                    self.payers.insert(key, payer);
                }
                Ok(payer)
            }
            Err(Error::Unauthenticated(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Records that a token or key was refused: it is no longer charged.
    pub fn forget_payer(&self, caller: Caller<'_>) {
        if let Some(key) = payer_key(caller) {
            self.payers.invalidate(&key);
        }
    }

    /// Whether a token or key has not been refused since it was last charged.
    pub fn is_payer(&self, caller: Caller<'_>) -> bool {
        payer_key(caller).is_some_and(|key| self.payers.contains_key(&key))
    }

    /// The organisation and service account of an API key that was seen before, even if it is refused now.
    pub fn known_key(&self, token: &str) -> Option<(Uuid, Uuid)> {
        if api_key::looks_like(token) { self.keyring.known(token) } else { None }
    }
}
