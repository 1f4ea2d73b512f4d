//! Worlds of the page, asked for single values.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::BTreeMap;

use web::flood::{Counts, Flood};
use web::{Json, Options, Player, World as _};

use super::failed;

/// Returns a value of an object, by the names on the way to it.
pub fn find<'j>(json: &'j Json, path: &[&str]) -> Result<&'j Json, String> {
    path.iter().try_fold(json, |json, name| match json {
        Json::Object(fields) => {
            let field = fields.iter().find(|(known, _)| known == name);
            field.map(|(_, value)| value).ok_or_else(|| format!("no {name}"))
        }
        _ => Err(format!("{name} is asked of something else than an object")),
    })
}

/// Returns the items of a list.
pub fn items(json: &Json) -> &[Json] {
    match json {
        Json::List(items) => items,
        _ => &[],
    }
}

/// Returns a number.
pub fn number(json: &Json) -> f64 {
    match json {
        Json::Number(number) => *number,
        _ => f64::NAN,
    }
}

/// Runs a world with commands, each followed by so many seconds; returns what it then looks like.
pub fn run(world: &str, options: &str, commands: &[(&str, u64)]) -> Result<Json, String> {
    let mut player = Player::open(world, options).map_err(failed)?;
    for (command, seconds) in commands {
        if !command.is_empty() {
            player.command(command).map_err(failed)?;
        }
        player.advance(player.now() + Duration::from_secs(*seconds));
    }
    find(&player.view(), &["view"]).cloned()
}

/// The costs of one search in the three networks, and the number of links of 0.4.
#[derive(Clone)]
pub struct Search {
    pub flat: Counts,
    pub hybrid: Counts,
    pub index: Counts,
    pub edges: u64,
}

thread_local! {
    /// Several facts are about one search.
    static KNOWN: RefCell<BTreeMap<String, Search>> = const { RefCell::new(BTreeMap::new()) };
}

/// Lets a node search, after some others were killed.
pub fn search(options: &str, kills: &[&str], node: u32, words: &str) -> Result<Search, String> {
    let name = format!("{options} {kills:?} {node} {words}");
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&name).cloned()) {
        return Ok(known);
    }
    let mut flood = Flood::new(&Options::parse(options)).map_err(failed)?;
    for kill in kills {
        flood.command(&["kill", kill]).map_err(failed)?;
    }
    let number = node.to_string();
    flood.command(&["search", &number, words]).map_err(failed)?;
    flood.advance(Duration::from_secs(120));
    let [flat, hybrid, index] = flood.counts();
    let search = Search { flat, hybrid, index, edges: flood.edges() as u64 };
    KNOWN.with_borrow_mut(|known| known.insert(name, search.clone()));
    Ok(search)
}
