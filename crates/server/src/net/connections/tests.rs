use super::*;

fn connections(strangers: usize, of_an_address: usize, bytes: usize) -> Arc<Connections> {
    let places = Places {
        files: 0,
        accepted: 0,
        connections: 2 * strangers,
        strangers,
        of_an_address,
        bytes,
    };
    Arc::new(Connections::new(
        places,
        Deadlines::default(),
        TrustedProxies::default(),
    ))
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

async fn is_cut(place: &Place) -> bool {
    let cut = place.0.connection.is_cut();
    tokio::time::timeout(Duration::from_millis(1), cut).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_oldest_stranger_makes_room_for_a_new_one_and_whoever_has_a_key_stays() {
    let connections = connections(3, 3, usize::MAX);
    let known = connections.admit(address(1)).unwrap();
    known.0.shows_key();
    let strangers: Vec<Place> = (1..=4).filter_map(|last| connections.admit(address(last))).collect();
    assert_eq!((strangers.len(), connections.counts()), (4, (5, 3)));
    for (place, wanted) in strangers.iter().zip([true, false, false, false]) {
        assert_eq!(is_cut(place).await, wanted);
    }
    assert!(!is_cut(&known).await);
    drop(strangers);
    assert_eq!(connections.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_address_takes_no_more_than_its_part_and_a_network_of_ipv6_is_one() {
    let connections = connections(8, 2, usize::MAX);
    let other = connections.admit(address(9)).unwrap();
    let of_one: Vec<Place> = (0..3).filter_map(|_| connections.admit(address(1))).collect();
    assert!(is_cut(&of_one[0]).await && !is_cut(&of_one[1]).await && !is_cut(&other).await);
    let of_network: Vec<Place> = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
        .iter()
        .filter_map(|text| connections.admit(text.parse().unwrap()))
        .collect();
    assert!(is_cut(&of_network[0]).await && !is_cut(&of_network[2]).await);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_trusted_is_not_one_address_but_its_clients_are() {
    let connections = connections(8, 2, usize::MAX);
    connections.trust(&trusted("192.0.2.1"));
    let of_proxy: Vec<Place> = (0..4).filter_map(|_| connections.admit(address(1))).collect();
    for place in &of_proxy {
        assert!(!is_cut(place).await);
    }
    for place in &of_proxy[..3] {
        place.0.is_stranger(Some(address(7)));
    }
    assert!(is_cut(&of_proxy[0]).await && !is_cut(&of_proxy[1]).await && !is_cut(&of_proxy[3]).await);
}

#[tokio::test(start_paused = true)]
async fn strangers_spend_one_budget_of_bytes_and_the_oldest_goes_when_it_is_spent() {
    let connections = connections(8, 8, 4 * LEAST_COST);
    let mut places: Vec<Place> = (1..=2).filter_map(|last| connections.admit(address(last))).collect();
    assert_eq!(connections.budget.spent(), 2 * SILENT_COST);
    for place in &places {
        place.0.speaks().await;
    }
    places[1].0.begins(Body::Length(usize::MAX));
    places[1].0.received(LEAST_COST);
    assert!(!is_cut(&places[0]).await && !is_cut(&places[1]).await);
    places[1].0.received(1);
    assert!(is_cut(&places[0]).await && !is_cut(&places[1]).await);
    places.remove(0);
    places[0].0.answered();
    assert_eq!(connections.budget.spent(), LEAST_COST);
    places[0].0.shows_key();
    places[0].0.received(10 * LEAST_COST);
    assert_eq!(connections.budget.spent(), 0);
    places[0].0.is_stranger(None);
    assert_eq!(connections.budget.spent(), LEAST_COST);
    drop(places);
    assert_eq!(connections.budget.spent(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_costs_what_it_did_until_it_is_gone_and_others_wait_for_that() {
    let connections = connections(8, 8, 2 * LEAST_COST);
    let places: Vec<Place> = (1..=3).filter_map(|last| connections.admit(address(last))).collect();
    let [first, second, third] = places.try_into().unwrap();
    first.0.speaks().await;
    second.0.speaks().await;
    assert!(connections.budget.spent() > 2 * LEAST_COST, "the third is there");
    assert!(is_cut(&first).await, "it makes room");
    let mut speaking = std::pin::pin!(third.0.speaks());
    tokio::select! {
        biased;
        () = &mut speaking => panic!("there is no room yet"),
        () = std::future::ready(()) => {}
    }
    assert!(!is_cut(&second).await, "one was enough");
    drop(first);
    speaking.await;
    assert_eq!(connections.budget.spent(), 2 * LEAST_COST);
}

#[tokio::test(start_paused = true)]
async fn when_all_have_keys_the_one_that_idles_longest_makes_room_and_else_nobody_is_let_in() {
    let connections = connections(1, 1, usize::MAX);
    let known: Vec<Place> = (1..=2)
        .filter_map(|last| {
            let place = connections.admit(address(last))?;
            place.0.shows_key();
            place.0.begins(Body::Length(0));
            Some(place)
        })
        .collect();
    assert!(connections.admit(address(3)).is_none());
    known[1].0.answered();
    let new = connections.admit(address(3)).unwrap();
    assert!(is_cut(&known[1]).await && !is_cut(&known[0]).await);
    drop(new);
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_long_is_cut() {
    let connections = connections(8, 8, usize::MAX);
    let place = connections.admit(address(1)).unwrap();
    let stopping = CancellationToken::new();
    let watching = connections.watch(stopping.clone());
    tokio::select! {
        () = watching => panic!("it watches on"),
        () = place.0.connection.is_cut() => {}
    }
    let took = connections.epoch.elapsed();
    assert!(
        took >= Duration::from_secs(6) && took < Duration::from_secs(7),
        "{took:?}"
    );
}
