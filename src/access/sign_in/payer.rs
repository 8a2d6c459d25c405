//! Who pays for a request.

use super::{Caller, Doorkeeper, PayerKey};
use crate::access::{api_key, token};
use crate::error::{Error, Result};
use uuid::Uuid;

fn payer_key(caller: Caller<'_>) -> Option<PayerKey> {
    Some((token::hash(caller.token?), caller.by_cookie))
}

impl Doorkeeper {
    /// Who pays for a request: the staff member or the service account of its token or key, if that holds; `None` for
    /// nobody's and for one that holds no more. The answer is remembered for some seconds, or until the token is refused.
    pub async fn payer(&self, caller: Caller<'_>) -> Result<Option<Uuid>> {
        let Some(key) = payer_key(caller) else { return Ok(None) };
        if let Some(payer) = self.payers.get(&key) {
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

    /// Notes that a token or key was refused: it pays for nothing more.
    pub fn forget_payer(&self, caller: Caller<'_>) {
        if let Some(key) = payer_key(caller) {
            self.payers.invalidate(&key);
        }
    }

    /// Whether a token or key was not refused since it last paid.
    pub fn is_payer(&self, caller: Caller<'_>) -> bool {
        payer_key(caller).is_some_and(|key| self.payers.contains_key(&key))
    }

    /// The organisation and service account of an API key that was met before, also of one that is refused now.
    pub fn known_key(&self, token: &str) -> Option<(Uuid, Uuid)> {
        if api_key::looks_like(token) { self.keyring.known(token) } else { None }
    }
}
