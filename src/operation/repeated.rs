//! Records that one operation meets again and again: who treated, where. Each is read once.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// What was read, by its key: the type of the key, and a map of that type.
#[derive(Default)]
pub struct Repeated(Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>);

impl Repeated {
    /// What was read under a key.
    pub fn get<K: Eq + Hash + Send + Sync + 'static, V: Send + Sync + 'static>(&self, key: &K) -> Option<Arc<V>> {
        let maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let map = maps.get(&TypeId::of::<K>())?.downcast_ref::<HashMap<K, Arc<V>>>()?;
        map.get(key).cloned()
    }

    /// Keeps what was read.
    pub fn keep<K: Eq + Hash + Send + Sync + 'static, V: Send + Sync + 'static>(&self, key: K, value: Arc<V>) {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let map = maps.entry(TypeId::of::<K>()).or_insert_with(|| Box::new(HashMap::<K, Arc<V>>::new()));
        if let Some(map) = map.downcast_mut::<HashMap<K, Arc<V>>>() {
            map.insert(key, value);
        }
    }

    /// Forgets all of it: something was changed, or another viewer asks.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
