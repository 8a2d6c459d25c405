//! What a field answers alone is what it answers beside all others: lists read only the columns that are asked for.

use super::fields::FIELDS;
use super::*;

/// Where lists of a kind are, beside the place of one record of it.
fn places(ty: &str, path: &str) -> Vec<String> {
    let list = format!("{ty}Connection");
    let lists = FIELDS.iter().filter(|(name, ..)| *name == list).map(|(_, path, ..)| format!("{path}/nodes/0"));
    lists.chain([path.to_owned()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_alone_answers_what_it_answers_beside_all_others() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (ty, path, rights, names) in FIELDS.iter() {
        // What is a record has its history; those who may see nothing of it compare nothing.
        if rights[0] != "ok" || !schema.get(ty).fields.iter().any(|field| field.name == "history") {
            continue;
        }
        for place in places(ty, path) {
            let pointer = format!("/{place}");
            let ask = async |names: &str| {
                let answer =
                    chart.admin.graphql(&reach(&place, &selection(&schema, ty, names)), chart.ids.clone()).await;
                answer.data.pointer(&pointer).cloned().unwrap_or_default()
            };
            let all = ask(names).await;
            for name in names.split_whitespace() {
                let (alone, beside) = (ask(name).await, &all[name]);
                compared += i32::from(!beside.is_null());
                if alone[name] != *beside {
                    wrong.push(format!("{place} {ty}.{name}: {} alone, {beside} beside all", alone[name]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 400, "{compared} values were compared");
}
