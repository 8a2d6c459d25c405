//! Devices, products and lots: the catalogue, and what sessions take from it.

use crate::support::*;

const DEVICE: &str = "device { id version model manufacturer serial kind depthMinMm depthMaxMm depthStepMm location { id } active recalled { reason } note }";
const PRODUCT: &str =
    "product { id version name manufacturer role intradermalUse strength active note lots { totalCount } }";
const LOT: &str =
    "productLot { id version lot expiresOn receivedOn note product { id name } recalled { at reason reference } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_added_changed_and_taken_back() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let given = json!({
        "model": "Derma Pen 4", "manufacturer": "Pens Ltd", "serial": "DP-1", "kind": "MOTORISED_PEN", "depthMinMm": "0.25",
        "depthMaxMm": "2.5", "depthStepMm": "0.25", "note": "Room 2",
    });
    let mut input = given.clone();
    input["locationId"] = json!(anna.location);
    let added = anna.does("addDevice", input, DEVICE).await.ok()["addDevice"]["device"].clone();
    let mut expected =
        json!({"id": added["id"], "version": 1, "location": {"id": anna.location}, "active": true, "recalled": null});
    expected.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    assert_eq!(added, expected);
    let mut device = Made::of(&added);
    let patch = json!({"patch": {"serial": null, "depthMaxMm": "3", "active": false}});
    let changed = anna.does("updateDevice", device.edit_with(patch.clone()), DEVICE).await.ok();
    let changed = &changed["updateDevice"]["device"];
    assert_eq!(
        (&changed["serial"], &changed["depthMaxMm"], &changed["active"]),
        (&Value::Null, &json!("3"), &json!(false))
    );
    assert_eq!((&changed["manufacturer"], &changed["version"]), (&json!("Pens Ltd"), &json!(2)));
    let stale = anna.does("updateDevice", device.edit_with(patch), DEVICE).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(2)));
    device.version = 2;
    let referred = device.edit_with(json!({"reason": "Overheats", "reference": "FSN-1"}));
    assert_eq!(anna.does("noteDeviceRecall", referred, DEVICE).await.faults(), ["input.reference"]);
    let recalled = anna.does("noteDeviceRecall", device.edit_with(json!({"reason": "Overheats"})), DEVICE).await.ok();
    assert_eq!(recalled["noteDeviceRecall"]["device"]["recalled"], json!({"reason": "Overheats"}));
    device.version = 3;
    let twice = anna.does("noteDeviceRecall", device.edit_with(json!({"reason": "Again"})), DEVICE).await;
    assert_eq!(twice.faults(), ["input.id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_unique_in_the_organisation_and_said_so_at_their_field() {
    let clinic = Clinic::start().await;
    let (anna, stranger) = (clinic.practitioner(), clinic.stranger());
    anna.device("Pen").await;
    let product = anna.product("Serum").await;
    anna.lot(&product, "L-1").await;
    let twice = async |mutation: &str, input: Value| anna.does(mutation, input, "__typename").await;
    let pen = json!({"model": "Pen", "serial": "D-1", "kind": "RF"});
    assert_eq!(twice("addDevice", pen.clone()).await.faults(), ["input.serial"]);
    assert_eq!(twice("addProduct", json!({"name": "Serum", "role": "PRP"})).await.faults(), ["input.name"]);
    assert_eq!(twice("addProductLot", json!({"productId": product.id, "lot": "L-1"})).await.faults(), ["input.lot"]);
    // Another serial number, no serial number, another product: free. So is another organisation.
    anna.make("addDevice", "device", json!({"model": "Pen", "serial": "D-2", "kind": "RF"})).await;
    for _ in 0..2 {
        anna.make("addDevice", "device", json!({"model": "Pen", "kind": "RF"})).await;
    }
    let other = anna.product("Other serum").await;
    anna.lot(&other, "L-1").await;
    stranger.does("addDevice", pen, "__typename").await.ok();
    let theirs = stranger.product("Serum").await;
    let foreign = json!({"productId": product.id, "lot": "L-1"});
    assert_eq!(stranger.does("addProductLot", foreign, "__typename").await.faults(), ["input.productId"]);
    stranger.lot(&theirs, "L-1").await;
    let second = anna.make("addDevice", "device", json!({"model": "Pen", "serial": "D-3", "kind": "RF"})).await;
    let taken = second.edit_with(json!({"patch": {"serial": "D-1"}}));
    assert_eq!(anna.does("updateDevice", taken, "__typename").await.faults(), ["input.patch.serial"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let faults = async |mutation: &str, input: Value| {
        let answer = anna.does(mutation, input, "__typename").await;
        let mut paths: Vec<String> = answer.faults().into_iter().map(str::to_owned).collect();
        paths.sort();
        paths.join(" ").replace("input.", "")
    };
    let deep = json!({"model": " ", "serial": "x".repeat(101), "kind": "RF", "depthMinMm": "2", "depthMaxMm": "1", "depthStepMm": "0", "locationId": "x"});
    assert_eq!(faults("addDevice", deep).await, "depthMaxMm depthStepMm locationId model serial");
    let nowhere = json!({"model": "Pen", "kind": "RF", "locationId": new_id("location")});
    assert_eq!(faults("addDevice", nowhere).await, "locationId");
    assert_eq!(
        faults("addDevice", json!({"model": "Pen", "kind": "RF", "depthMaxMm": "8.001"})).await,
        "depthMaxMm depthMaxMm"
    );
    assert_eq!(faults("addProduct", json!({"name": "", "role": "PRP", "note": "x".repeat(2001)})).await, "name note");
    assert_eq!(faults("addProductLot", json!({"productId": "x", "lot": ""})).await, "lot productId");
    assert_eq!(
        anna.does("updateProduct", json!({"id": new_id("product"), "expectedVersion": 1, "patch": {}}), "__typename")
            .await
            .code(),
        "NOT_FOUND"
    );
    let device = anna.device("Pen").await;
    let wrong = json!({"id": device.id, "expectedVersion": 1, "reason": "x"});
    assert_eq!(faults("noteLotRecall", wrong).await, "id", "a device is no lot");
}

#[tokio::test(flavor = "multi_thread")]
async fn products_and_lots_are_listed_and_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (first, second) = (anna.product("B serum").await, anna.product("A serum").await);
    let old = json!({"productId": first.id, "lot": "L-1", "expiresOn": day(-1), "receivedOn": day(-30)});
    let old = anna.make("addProductLot", "productLot", old).await;
    let new = anna.lot(&first, "L-2").await;
    anna.lot(&second, "L-3").await;
    let recall = json!({"reason": "Particles", "reference": "FSN-7", "at": hours_ago(3)});
    let recalled = anna.does("noteLotRecall", new.edit_with(recall.clone()), LOT).await.ok();
    assert_eq!(recalled["noteLotRecall"]["productLot"]["recalled"], recall);
    let changed =
        anna.does("updateProductLot", old.edit_with(json!({"patch": {"expiresOn": null, "note": "x"}})), LOT).await;
    let changed = changed.ok()["updateProductLot"]["productLot"].clone();
    assert_eq!((&changed["expiresOn"], &changed["receivedOn"]), (&Value::Null, &json!(day(-30))));
    let renamed = first.edit_with(json!({"patch": {"role": "GROWTH_SERUM", "intradermalUse": "NO", "active": false}}));
    let renamed = anna.does("updateProduct", renamed, PRODUCT).await.ok()["updateProduct"]["product"].clone();
    assert_eq!(
        (&renamed["role"], &renamed["lots"]["totalCount"], &renamed["manufacturer"]),
        (&json!("GROWTH_SERUM"), &json!(2), &json!("Serum Works"))
    );
    let list = async |query: &str| {
        let data = anna.ask(&format!("{{ list: {query} }}")).await;
        let names = data["list"]["nodes"].as_array().unwrap().iter();
        names
            .map(|node| node.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (query, expected) in [
        ("products { nodes { name } }".to_owned(), "A serum B serum"),
        ("products(filter: {active: true}) { nodes { name } }".to_owned(), "A serum"),
        ("products(filter: {role: [GROWTH_SERUM]}) { nodes { name } }".to_owned(), "B serum"),
        ("productLots { nodes { lot } }".to_owned(), "L-1 L-2 L-3"),
        ("productLots(filter: {recalled: true}) { nodes { lot } }".to_owned(), "L-2"),
        (format!("productLots(filter: {{productId: \"{}\"}}) {{ nodes {{ lot }} }}", second.id), "L-3"),
        (format!("productLots(filter: {{expiresBefore: \"{}\"}}) {{ nodes {{ lot }} }}", day(366)), "L-2 L-3"),
        ("productLots(filter: {lot: \"L-3\"}) { nodes { lot } }".to_owned(), "L-3"),
        (format!("productLots(filter: {{usableOn: \"{}\"}}) {{ nodes {{ lot }} }}", day(365)), "L-1 L-3"),
        (format!("productLots(filter: {{usableOn: \"{}\"}}) {{ nodes {{ lot }} }}", day(366)), "L-1"),
        ("devices { nodes { model } }".to_owned(), ""),
    ] {
        assert_eq!(list(&query).await, expected, "{query}");
    }
    let theirs =
        clinic.stranger().ask("{ products { totalCount } productLots { totalCount } devices { totalCount } }").await;
    assert!(!theirs.to_string().contains('1') && !theirs.to_string().contains('2'), "{theirs}");
}

const USED: &str = "session { id version device { model serial kind } catalogueDevice { id model } products { role product manufacturer lot expiresOn intradermalUse catalogueLot { id lot product { id } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_its_device_and_lots_from_the_catalogue() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let (device, product) = (anna.device("Derma Pen 4").await, anna.product("Hyaluronic serum").await);
    let lot = anna.lot(&product, "S-9").await;
    let mut input = session_to_sign(&patient, &anna.location);
    input["device"] = json!({"deviceId": device.id});
    input["products"] = json!([{"role": "CARTRIDGE", "product": "12-pin", "lot": "C-1"}, {"role": "SERUM", "lotId": lot.id, "quantity": "2", "unit": "mL"}]);
    let session = anna.does("logSession", input.clone(), USED).await.ok()["logSession"]["session"].clone();
    assert_eq!(session["device"], json!({"model": "Derma Pen 4", "serial": "D-1", "kind": "MOTORISED_PEN"}));
    assert_eq!(session["catalogueDevice"]["id"], device.id);
    let typed = json!({"role": "CARTRIDGE", "product": "12-pin", "manufacturer": null, "lot": "C-1", "expiresOn": null, "intradermalUse": "UNKNOWN", "catalogueLot": null});
    let filled = json!({
        "role": "SERUM", "product": "Hyaluronic serum", "manufacturer": "Serum Works", "lot": "S-9", "expiresOn": day(365),
        "intradermalUse": "YES", "catalogueLot": {"id": lot.id, "lot": "S-9", "product": {"id": product.id}},
    });
    assert_eq!(session["products"], json!([typed, filled]));
    // What was used stays as it was when the catalogue changes; the link shows what it is now.
    let later = lot.edit_with(json!({"patch": {"expiresOn": day(10)}}));
    anna.does("updateProductLot", later, "__typename").await.ok();
    let session = Made::of(&session);
    let update = async |session: &Made, patch: Value| {
        anna.does("updateSession", session.edit_with(json!({"patch": patch})), USED).await.ok()["updateSession"]["session"].clone()
    };
    let same = update(&session, json!({"note": "Calm", "areas": []})).await;
    assert_eq!((&same["products"][1], &same["catalogueDevice"]["id"]), (&filled, &json!(device.id)));
    let read = anna.graphql("query ($id: ID!) { session(id: $id) { device { model } products { expiresOn catalogueLot { expiresOn } } } }", json!({"id": session.id})).await.ok();
    assert_eq!(read["session"]["products"][1], json!({"expiresOn": day(365), "catalogueLot": {"expiresOn": day(10)}}));
    // In words again, and cleared.
    let words = update(&Made::of(&same), json!({"device": {"model": "Roller", "kind": "MANUAL"}})).await;
    assert_eq!((&words["device"]["model"], &words["catalogueDevice"]), (&json!("Roller"), &Value::Null));
    let back = update(&Made::of(&words), json!({"device": {"deviceId": device.id}, "products": []})).await;
    assert_eq!((&back["catalogueDevice"]["id"], &back["products"]), (&json!(device.id), &json!([])));
    let cleared = update(&Made::of(&back), json!({"device": null})).await;
    assert_eq!((&cleared["device"], &cleared["catalogueDevice"]), (&Value::Null, &Value::Null));
    // A retry answers what the first try left.
    input["id"] = json!(new_id("session"));
    let first = anna.does("logSession", input.clone(), USED).await.ok();
    assert_eq!(anna.does("logSession", input, USED).await.ok(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalogue_says_is_not_said_twice_and_what_it_lacks_is_a_fault() {
    let clinic = Clinic::start().await;
    let (anna, stranger) = (clinic.practitioner(), clinic.stranger());
    let patient = anna.patient("Ada", "Lovelace").await;
    let (device, product) = (anna.device("Pen").await, anna.product("Serum").await);
    let lot = anna.lot(&product, "S-9").await;
    let theirs = stranger.device("Pen").await;
    let foreign = stranger.product("Serum").await;
    let foreign = stranger.lot(&foreign, "S-9").await;
    let faults = async |device: Value, products: Value| {
        let mut input = session_to_sign(&patient, &anna.location);
        (input["device"], input["products"]) = (device, products);
        let answer = anna.does("logSession", input, "__typename").await;
        answer.faults().join(" ").replace("input.", "")
    };
    let both = json!({"deviceId": device.id, "model": "Pen", "serial": "1", "kind": "RF"});
    let lots = json!([{"role": "SERUM", "lotId": lot.id, "product": "x", "manufacturer": "x", "lot": "x", "expiresOn": day(1), "intradermalUse": "NO"}]);
    let found = faults(both, lots).await;
    for path in [
        "device.model",
        "device.serial",
        "device.kind",
        "products.0.product",
        "products.0.manufacturer",
        "products.0.lot",
        "products.0.expiresOn",
        "products.0.intradermalUse",
    ] {
        assert!(found.split(' ').any(|it| it == path), "{path} in {found}");
    }
    assert_eq!(faults(json!({"serial": "1"}), json!([{"role": "SERUM"}])).await.split(' ').count(), 3);
    let unknown = json!([{"role": "SERUM", "lotId": lot.id}, {"role": "SERUM", "lotId": foreign.id}]);
    assert_eq!(faults(json!({"deviceId": theirs.id}), unknown).await, "device.deviceId products.1.lotId");
    assert_eq!(faults(json!({"deviceId": lot.id}), json!([])).await, "device.deviceId");
    let draft = anna.session(&patient).await;
    let patch = draft.edit_with(json!({"patch": {"products": [{"role": "SERUM", "lotId": foreign.id}]}}));
    assert_eq!(anna.does("updateSession", patch, "__typename").await.faults(), ["input.patch.products.0.lotId"]);
}
