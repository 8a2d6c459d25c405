//! Names, streets and telephone numbers. The names are common ones of their languages, put together by chance; the
//! telephone numbers are of ranges that are kept for fiction.

use super::dice::Dice;
use std::sync::LazyLock;

/// The names of a language.
pub(super) struct Language {
    pub(super) female: Vec<&'static str>,
    pub(super) male: Vec<&'static str>,
    pub(super) family: Vec<&'static str>,
}

fn language(female: &'static str, male: &'static str, family: &'static str) -> Language {
    let list = |text: &'static str| text.split(", ").collect();
    Language { female: list(female), male: list(male), family: list(family) }
}

/// English, French, Spanish, Italian, German, Polish, Portuguese, Scandinavian, Dutch, Irish, in this order.
static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    vec![
        language(
            "Olivia, Amelia, Charlotte, Emily, Grace, Hannah, Jessica, Lucy, Rebecca, Sarah, Victoria, Zoe, Alice, Beth, \
             Claire, Eleanor, Fiona, Gemma, Harriet, Imogen, Joanne, Katherine, Laura, Megan, Natalie, Phoebe, Rachel, Sophie",
            "James, Oliver, Thomas, William, George, Daniel, Matthew, Benjamin, Edward, Henry, Jack, Samuel, Adam, Charles, \
             Christopher, Dominic, Graham, Luke, Nathan, Peter, Richard, Stephen, Toby, Andrew",
            "Smith, Jones, Taylor, Brown, Wilson, Evans, Walker, Wright, Robinson, Thompson, White, Hughes, Edwards, Green, \
             Hall, Wood, Harris, Clarke, Jackson, Turner, Hill, Cooper, Ward, Morris, Baker, Mitchell, Carter, Bennett, \
             Shaw, Holmes, Palmer, Fletcher, Whitfield, Ashworth, Pemberton, Hawthorne",
        ),
        language(
            "Camille, Léa, Manon, Chloé, Élodie, Juliette, Margaux, Pauline, Aurélie, Céline, Delphine, Sylvie, Hélène, \
             Isabelle, Mathilde, Nathalie, Sandrine, Solène, Valérie, Virginie, Amandine, Clémence, Inès, Océane",
            "Antoine, Bastien, Clément, Étienne, François, Guillaume, Hugo, Julien, Laurent, Louis, Mathieu, Maxime, \
             Nicolas, Olivier, Pascal, Quentin, Rémi, Sébastien, Théo, Vincent",
            "Martin, Bernard, Dubois, Durand, Moreau, Laurent, Simon, Michel, Lefèvre, Leroy, Roux, Fournier, Girard, Bonnet, \
             Dupont, Lambert, Fontaine, Rousseau, Mercier, Blanchard, Guérin, Boyer, Garnier, Chevalier, Perrin, Morel, \
             Gauthier, Barbier, Renaud, Marchand, Noël, Lacroix, Deschamps, Vasseur",
        ),
        language(
            "Lucía, María, Paula, Carmen, Sofía, Marta, Elena, Laura, Alba, Irene, Nuria, Pilar, Rocío, Silvia, Teresa, \
             Beatriz, Cristina, Inmaculada, Noelia, Verónica, Yolanda, Ainhoa, Begoña, Macarena",
            "Alejandro, Álvaro, Carlos, Diego, Fernando, Gonzalo, Ignacio, Javier, Jorge, José, Luis, Manuel, Marcos, Miguel, \
             Pablo, Rafael, Rubén, Sergio, Tomás, Víctor",
            "García, Fernández, González, Rodríguez, López, Martínez, Sánchez, Pérez, Gómez, Díaz, Muñoz, Álvarez, Romero, \
             Navarro, Torres, Domínguez, Gil, Vázquez, Serrano, Ramos, Blanco, Molina, Ortega, Delgado, Castro, Rubio, \
             Marín, Núñez, Iglesias, Medina, Cortés, Lozano, Guerrero, Cano",
        ),
        language(
            "Giulia, Chiara, Francesca, Sara, Martina, Alessia, Valentina, Elisa, Federica, Giorgia, Ilaria, Lucia, Paola, \
             Roberta, Silvia, Simona, Stefania, Teresa, Arianna, Beatrice",
            "Alessandro, Andrea, Davide, Fabio, Federico, Giovanni, Lorenzo, Luca, Marco, Matteo, Paolo, Riccardo, Simone, \
             Stefano, Tommaso, Emanuele",
            "Rossi, Russo, Ferrari, Esposito, Bianchi, Romano, Colombo, Ricci, Marino, Greco, Bruno, Gallo, Conti, De Luca, \
             Mancini, Costa, Giordano, Rizzo, Lombardi, Moretti, Barbieri, Fontana, Santoro, Mariani, Rinaldi, Caruso, \
             Ferrara, Galli, Martini, Leone",
        ),
        language(
            "Anna, Lena, Julia, Katharina, Sabine, Claudia, Nicole, Stefanie, Birgit, Heike, Johanna, Lea, Franziska, \
             Charlotte, Greta, Ingrid, Jana, Kirsten, Marlene, Petra, Silke, Ulrike",
            "Lukas, Jonas, Maximilian, Felix, Sebastian, Tobias, Andreas, Jürgen, Matthias, Stefan, Florian, Jörg, Karl, \
             Markus, Moritz, Niklas, Philipp, Uwe",
            "Müller, Schmidt, Schneider, Fischer, Weber, Meyer, Wagner, Becker, Schulz, Hoffmann, Schäfer, Koch, Bauer, \
             Richter, Klein, Wolf, Schröder, Neumann, Schwarz, Zimmermann, Braun, Krüger, Hofmann, Hartmann, Lange, \
             Krause, Lehmann, Köhler, Maier, Vogel",
        ),
        language(
            "Agnieszka, Katarzyna, Małgorzata, Anna, Magdalena, Joanna, Aleksandra, Monika, Natalia, Zofia, Hanna, Iwona, \
             Justyna, Karolina, Łucja, Paulina, Sylwia, Weronika",
            "Piotr, Krzysztof, Tomasz, Paweł, Michał, Marcin, Jakub, Grzegorz, Łukasz, Mateusz, Wojciech, Bartosz, Kamil, Rafał",
            "Nowak, Wójcik, Kowalczyk, Woźniak, Mazur, Krawczyk, Kaczmarek, Zając, Król, Wróbel, Wieczorek, Dudek, Stępień, \
             Adamczyk, Pawlak, Sikora, Walczak, Baran, Szewczyk, Pietrzak, Duda, Bąk, Gołąb, Lis",
        ),
        language(
            "Ana, Beatriz, Catarina, Filipa, Inês, Joana, Leonor, Mariana, Rita, Sónia, Sofia, Teresa, Vera, Cláudia, Débora",
            "André, António, Bernardo, Duarte, Filipe, Gonçalo, João, Miguel, Nuno, Ricardo, Rui, Tiago, Vasco",
            "Silva, Santos, Ferreira, Pereira, Oliveira, Rodrigues, Martins, Sousa, Fernandes, Gonçalves, Marques, Almeida, \
             Ribeiro, Pinto, Carvalho, Teixeira, Moreira, Correia, Mendes, Nunes, Soares, Vieira, Monteiro, Cardoso",
        ),
        language(
            "Astrid, Freja, Ingrid, Maja, Linnea, Elsa, Karin, Kirsten, Sigrid, Solveig, Søs, Tuva, Åsa, Birgitte, Malin, Liv",
            "Anders, Bjørn, Erik, Gustav, Henrik, Johan, Lars, Magnus, Nils, Oskar, Rasmus, Sven, Søren, Jens",
            "Andersson, Johansson, Karlsson, Nilsson, Larsson, Hansen, Johansen, Olsen, Larsen, Pedersen, Nielsen, Jensen, \
             Kristensen, Lindberg, Lindqvist, Bergström, Sandberg, Sørensen, Dahl, Haugen, Holm, Lund, Åberg, Öberg",
        ),
        language(
            "Anouk, Femke, Fleur, Lotte, Marloes, Sanne, Sophie, Tess, Wendy, Esther, Ilse, Janneke, Marijke, Roos",
            "Bram, Daan, Jeroen, Joost, Koen, Maarten, Pieter, Ruben, Sander, Sjoerd, Thijs, Willem",
            "de Jong, Jansen, de Vries, van den Berg, Bakker, van Dijk, Visser, Smit, Meijer, de Boer, Mulder, de Groot, Bos, \
             Vos, Peters, Hendriks, van Leeuwen, Dekker, Brouwer, Kuiper",
        ),
        language(
            "Aoife, Caoimhe, Ciara, Niamh, Orla, Róisín, Saoirse, Sinéad, Siobhán, Deirdre, Gráinne, Maeve",
            "Cillian, Conor, Darragh, Declan, Eoin, Fionn, Liam, Niall, Oisín, Pádraig, Ronan, Séan",
            "Murphy, Kelly, O'Sullivan, Walsh, O'Brien, Byrne, Ryan, O'Connor, O'Neill, O'Reilly, Doyle, McCarthy, Gallagher, \
             Doherty, Kennedy, Lynch, Murray, Quinn, Moore, Fitzgerald, Nolan, Brennan",
        ),
    ]
});

/// A country with clinics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Country {
    Britain,
    France,
    America,
}

/// The language of somebody's name: the country's own mostly.
pub(super) fn language_in(country: Country, dice: &mut Dice) -> Option<&'static Language> {
    let place = match country {
        Country::Britain => {
            dice.weighted(0, &[(90, 9), (60, 5), (40, 3), (40, 2), (40, 1), (30, 4), (30, 6), (20, 7), (20, 8)])
        }
        Country::France => dice.weighted(1, &[(90, 6), (80, 2), (80, 3), (40, 4), (40, 0), (30, 5), (20, 8)]),
        Country::America => {
            dice.weighted(0, &[(180, 2), (120, 3), (100, 9), (70, 4), (60, 5), (40, 1), (40, 7), (30, 8)])
        }
    };
    LANGUAGES.get(place)
}

/// A telephone number of a range that no one has: Ofcom's numbers for drama, ARCEP's for fiction, North America's 555-01.
pub(super) fn phone(country: Country, dice: &mut Dice) -> String {
    match country {
        Country::Britain => {
            let range = dice.weighted("7700900", &[(90, "2079460"), (60, "1632960"), (40, "1134960"), (40, "1614960")]);
            format!("+44{range}{:03}", dice.below(1000))
        }
        Country::France => {
            let range = dice.weighted("63998", &[(120, "19900")]);
            format!("+33{range}{:04}", dice.below(10_000))
        }
        Country::America => {
            let area = dice.word(&["212", "646", "917", "347", "718", "201", "914"]);
            format!("+1{area}55501{:02}", dice.below(100))
        }
    }
}

/// Streets that are nowhere.
const STREETS_OF_BRITAIN: &[&str] = &[
    "Alderney Road",
    "Belmont Terrace",
    "Chalk Lane",
    "Copper Street",
    "Elmfield Avenue",
    "Garnet Mews",
    "Harbour Row",
    "Juniper Close",
    "Larkspur Gardens",
    "Millpond Way",
    "Orchard Crescent",
    "Quarry Hill",
    "Rosemary Lane",
    "St Brannock's Road",
    "Tanner's Yard",
    "Willow Walk",
];

const STREETS_OF_FRANCE: &[&str] = &[
    "rue des Tilleuls",
    "rue du Moulin",
    "avenue des Lilas",
    "rue de la Fontaine",
    "impasse des Cerisiers",
    "boulevard du Parc",
    "rue des Artisans",
    "allée des Marronniers",
    "rue du Vieux Port",
    "place du Marché",
    "chemin des Vignes",
    "rue de l'Abbaye",
];

const STREETS_OF_AMERICA: &[&str] = &[
    "Alder Street",
    "Bayview Avenue",
    "Cobble Court",
    "Dunmore Place",
    "East Linden Street",
    "Foundry Street",
    "Hollis Avenue",
    "Ives Street",
    "Kingfisher Lane",
    "Maple Terrace",
    "Northgate Road",
    "Weaver Street",
];

/// A street with a number, a town, a region and a postal code.
pub(super) fn address(country: Country, dice: &mut Dice) -> crate::record::Address {
    let number = dice.between(1, 148);
    let (line, city, region, postal_code, code) = match country {
        Country::Britain => {
            let street = dice.word(STREETS_OF_BRITAIN);
            let (city, area) = dice.weighted(
                ("London", "NW"),
                &[(150, ("London", "SE")), (150, ("Guildford", "GU")), (100, ("Watford", "WD"))],
            );
            let letters = dice.word(&["AB", "DE", "HJ", "LN", "PQ", "RT", "XY"]);
            (
                format!("{number} {street}"),
                city,
                None,
                format!("{area}{} {}{letters}", dice.between(1, 20), dice.between(1, 9)),
                "GB",
            )
        }
        Country::France => {
            let street = dice.word(STREETS_OF_FRANCE);
            let (city, code) = dice
                .weighted(("Paris", 75_001), &[(150, ("Boulogne-Billancourt", 92_100)), (100, ("Vincennes", 94_300))]);
            let code = if code == 75_001 { code + dice.between(0, 19) } else { code };
            (format!("{number} {street}"), city, None, code.to_string(), "FR")
        }
        Country::America => {
            let street = dice.word(STREETS_OF_AMERICA);
            let (city, zip) =
                dice.weighted(("New York", 10_001), &[(250, ("Brooklyn", 11_201)), (100, ("Yonkers", 10_701))]);
            (format!("{number} {street}"), city, Some("NY"), (zip + dice.between(0, 8)).to_string(), "US")
        }
    };
    crate::record::Address {
        lines: vec![line],
        city: Some(city.to_owned()),
        region: region.map(str::to_owned),
        postal_code: Some(postal_code),
        country: code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_hundreds_of_names_and_none_is_empty() {
        let all =
            |part: fn(&Language) -> &Vec<&'static str>| LANGUAGES.iter().flat_map(part).copied().collect::<Vec<_>>();
        let given = [all(|it| &it.female), all(|it| &it.male)].concat();
        let family = all(|it| &it.family);
        assert!(given.len() > 300 && family.len() > 250, "{} {}", given.len(), family.len());
        assert!(given.iter().chain(&family).all(|name| !name.is_empty() && name.trim() == *name));
    }

    #[test]
    fn phones_are_e_164() {
        let mut dice = Dice::new(1, 1);
        for country in [Country::Britain, Country::France, Country::America] {
            for _ in 0..100 {
                let phone = phone(country, &mut dice);
                let digits = phone.strip_prefix('+').expect("plus");
                assert!((11..=12).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit()), "{phone}");
            }
        }
    }
}
