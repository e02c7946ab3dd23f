//! The contract on a PostgreSQL server, and what servers alone do.

#[path = "../contract/consent.rs"]
mod consent;
#[path = "../contract/deciding.rs"]
mod deciding;
#[path = "../contract/freezing.rs"]
mod freezing;
#[path = "../contract/guards.rs"]
mod guards;
#[path = "../contract/inbound.rs"]
mod inbound;
#[path = "../contract/listing.rs"]
mod listing;
#[path = "../contract/pruning.rs"]
mod pruning;
#[path = "../contract/publishing.rs"]
mod publishing;
#[path = "../contract/random.rs"]
mod random;
#[path = "../contract/sending.rs"]
mod sending;

mod away;
mod failover;
mod workers;

use super::*;
use crate::config::settings::{Engine, ServerSettings};

/// Tells the worlds of this engine from those of the other.
struct OfThisEngine;
type World = super::World<OfThisEngine>;

fn settings(folder: &TempDir, database: &Database) -> StoreSettings {
    StoreSettings {
        engine: Engine::Postgres(ServerSettings {
            url: database.url().into(),
            name: "postgres://127.0.0.1/tests".to_owned(),
            password_file: None,
            durability: Durability::Power,
            patience: Duration::from_secs(20),
            lease: Duration::from_secs(30),
        }),
        path: folder.path().join("letterpress.postgres"),
        durability: Durability::Power,
        allow_network_file_system: false,
    }
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = harness::postgres::database();
    let settings = settings(&folder, &database);
    let store = Store::open(&settings, now()).await.unwrap();
    World {
        store,
        settings,
        folder,
        database: Some(database),
        engine: PhantomData,
    }
}

/// A world with `readers` active readers and one frozen issue.
async fn frozen_world(readers: usize) -> (World, IssueId) {
    world().await.with_issue(readers).await
}

/// Where these bytes are: in files of this machine, and in rows of the server.
fn found(world: &World, needle: &str) -> Vec<String> {
    let database = world.database.as_ref().unwrap();
    let tables = database
        .rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1");
    let mut found = files_with(&world.folder, needle);
    for table in tables.into_iter().flatten() {
        let rows =
            format!("SELECT count(*) FROM {table} t WHERE strpos(lower(t::text), '{needle}') > 0");
        if database.value(&rows) != "0" {
            found.push(table);
        }
    }
    found
}
