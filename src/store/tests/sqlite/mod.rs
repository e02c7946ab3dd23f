//! The contract in SQLite, and what files alone do.

#[path = "../contract/consent.rs"]
mod consent;
#[path = "../contract/deciding.rs"]
mod deciding;
mod files;
#[path = "../contract/freezing.rs"]
mod freezing;
#[path = "../contract/guards.rs"]
mod guards;
#[path = "../contract/inbound.rs"]
mod inbound;
mod killed;
#[path = "../contract/listing.rs"]
mod listing;
mod opening;
#[path = "../contract/pruning.rs"]
mod pruning;
#[path = "../contract/publishing.rs"]
mod publishing;
#[path = "../contract/random.rs"]
mod random;
#[path = "../contract/sending.rs"]
mod sending;
mod slate;
mod storage;

use super::*;
use crate::config::settings::Engine;

/// Tells the worlds of this engine from those of the other.
struct OfThisEngine;
type World = super::World<OfThisEngine>;

fn settings(folder: &TempDir) -> StoreSettings {
    StoreSettings {
        engine: Engine::Sqlite,
        path: folder.path().join("letterpress.db"),
        durability: Durability::Power,
        allow_network_file_system: false,
    }
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let store = Store::open(&settings, now()).await.unwrap();
    World {
        store,
        settings,
        folder,
        database: None,
        engine: PhantomData,
    }
}

/// A world with `readers` active readers and one frozen issue.
async fn frozen_world(readers: usize) -> (World, IssueId) {
    world().await.with_issue(readers).await
}

/// Where these bytes are.
fn found(world: &World, needle: &str) -> Vec<String> {
    files_with(&world.folder, needle)
}
