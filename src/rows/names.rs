//! Fixed lists of names and words. Same seed, same rows: an edit here changes every generated table, and the golden
//! checksums say so. Some names carry accents, so that a dataset is never plain ASCII by accident.

/// First names.
#[rustfmt::skip]
pub(super) const FIRST: [&str; 200] = [
    "Aaron", "Abigail", "Adam", "Adela", "Adrian", "Agnes", "Ahmed", "Aiko", "Alan", "Alba",
    "Albert", "Alejandra", "Alex", "Alice", "Alina", "Alma", "Amara", "Amelia", "Amir", "Ana",
    "Anders", "André", "Anika", "Anna", "Anton", "Arjun", "Arthur", "Astrid", "Aurélie", "Ava",
    "Barbara", "Beatriz", "Ben", "Bianca", "Björn", "Boris", "Brian", "Bruno", "Camila", "Carl",
    "Carmen", "Caroline", "Cecilia", "Chen", "Chiara", "Chloé", "Clara", "Clément", "Colin",
    "Dana", "Daniel", "Daria", "David", "Diana", "Diego", "Dmitri", "Dora", "Edith", "Eduardo",
    "Elena", "Elias", "Elif", "Elisa", "Ella", "Emil", "Emma", "Enzo", "Erik", "Esra", "Esther",
    "Eva", "Fatima", "Felix", "Filip", "Fiona", "Florian", "Frank", "Freya", "Gabriel", "Gaëlle",
    "George", "Gina", "Giulia", "Grace", "Greta", "Hana", "Hannah", "Harold", "Hassan", "Hélène",
    "Henry", "Hugo", "Ian", "Ida", "Ines", "Irene", "Iris", "Isaac", "Ivan", "Jack", "Jakob",
    "James", "Jana", "Jasmin", "Jean", "Jens", "Jin", "Joan", "João", "Johan", "Jonas", "José",
    "Judith", "Julia", "Jun", "Kai", "Karen", "Karim", "Katya", "Keiko", "Kenji", "Kira", "Klaus",
    "Laila", "Lars", "Laura", "Léa", "Leila", "Leo", "Liam", "Lina", "Linnéa", "Lucas", "Lucía",
    "Luis", "Luna", "Magnus", "Maja", "Malik", "Marco", "Maria", "Martin", "Matteo", "Maya",
    "Mei", "Mia", "Michael", "Mila", "Milan", "Mónica", "Nadia", "Naomi", "Nathan", "Nico",
    "Nils", "Nina", "Noah", "Nora", "Olga", "Oliver", "Omar", "Oscar", "Pablo", "Paula", "Pedro",
    "Peter", "Petra", "Priya", "Rafael", "Ravi", "René", "Rosa", "Ruth", "Samir", "Sara", "Sofia",
    "Søren", "Tara", "Theo", "Tomás", "Ursula", "Valentina", "Vera", "Victor", "Viktória", "Wei",
    "Yara", "Yuki", "Zoë", "Zofia", "Ingrid", "Leon", "Marta", "Otto", "Simon", "Stella", "Tim",
    "Tuva", "Yusuf", "Zahra",
];

/// Last names.
#[rustfmt::skip]
pub(super) const LAST: [&str; 200] = [
    "Abbott", "Adams", "Aguilar", "Ahmed", "Åkesson", "Ali", "Allen", "Almeida", "Andersen",
    "Andersson", "Araujo", "Bailey", "Baker", "Barbosa", "Barnes", "Bauer", "Becker", "Bell",
    "Bennett", "Berg", "Bernard", "Bianchi", "Blanc", "Bonnet", "Brandt", "Brown", "Bruno",
    "Burke", "Campos", "Cardoso", "Carlsson", "Carter", "Castillo", "Castro", "Chen", "Clark",
    "Colombo", "Conti", "Cooper", "Costa", "Cruz", "Dahl", "Davies", "Delgado", "Díaz", "Diaz",
    "Dubois", "Dupont", "Durand", "Edwards", "Eriksen", "Esposito", "Evans", "Faber", "Fabre",
    "Fernández", "Ferrari", "Fischer", "Fontaine", "Foster", "Fournier", "Fox", "Frank", "Franke",
    "Garcia", "García", "Gibson", "Girard", "Gómez", "Gonzalez", "Graf", "Graham", "Green",
    "Greco", "Gupta", "Haas", "Hall", "Hansen", "Hansson", "Harris", "Hartmann", "Hassan",
    "Hayes", "Henriksen", "Hernández", "Herrera", "Hill", "Hoffmann", "Holm", "Hughes", "Ivanova",
    "Jacobs", "Jansen", "Jensen", "Jiménez", "Johansson", "Johnson", "Jones", "Kaiser", "Kang",
    "Kato", "Kaur", "Keller", "Kelly", "Khan", "Kim", "King", "Klein", "Koch", "Köhler",
    "Kowalski", "Kumar", "Lambert", "Lange", "Larsen", "Larsson", "Laurent", "Lee", "Lefèvre",
    "Lehmann", "Leroy", "Lewis", "Li", "Lind", "Lindberg", "Liu", "Lombardi", "López", "Lund",
    "Luz", "Mancini", "Marchand", "Marino", "Martin", "Martínez", "Mason", "Mayer", "Mendes",
    "Meyer", "Miller", "Moore", "Morales", "Moreau", "Moretti", "Morgan", "Müller", "Murphy",
    "Muñoz", "Nakamura", "Navarro", "Neumann", "Nguyen", "Nielsen", "Nilsson", "Novák", "Nowak",
    "O'Brien", "Olsen", "Ortega", "Ortiz", "Park", "Parker", "Patel", "Pereira", "Perez",
    "Persson", "Petersen", "Peterson", "Petit", "Pinto", "Popov", "Price", "Ramírez", "Ramos",
    "Reed", "Reyes", "Ribeiro", "Ricci", "Richter", "Rivera", "Roberts", "Rocha", "Rossi", "Roux",
    "Ruiz", "Russo", "Sánchez", "Santos", "Sato", "Schmidt", "Schneider", "Schulz", "Silva",
    "Singh", "Smith", "Suzuki", "Tanaka", "Taylor", "Wagner", "Weber",
];

/// Plain English words.
#[rustfmt::skip]
pub(super) const WORDS: [&str; 300] = [
    "able", "above", "across", "active", "after", "again", "agree", "air", "allow", "almost",
    "along", "also", "always", "amber", "among", "anchor", "angle", "animal", "answer", "apple",
    "april", "arch", "area", "arrow", "ash", "august", "autumn", "avenue", "award", "bake",
    "balance", "ball", "bank", "basin", "basket", "beach", "beam", "bear", "begin", "below",
    "bench", "berry", "beside", "better", "bird", "blue", "board", "boat", "body", "bone", "book",
    "border", "bottle", "bottom", "box", "branch", "brave", "bread", "bridge", "bright", "bring",
    "broad", "brother", "brown", "build", "bundle", "cabin", "calm", "camera", "canal", "candle",
    "canvas", "carbon", "card", "carry", "castle", "cattle", "center", "chain", "chair", "chalk",
    "change", "chart", "cherry", "circle", "city", "clay", "clean", "clear", "clever", "climb",
    "clock", "cloud", "coast", "coffee", "cold", "color", "common", "copper", "coral", "corner",
    "cotton", "count", "course", "cover", "crane", "create", "crown", "cycle", "daily", "dance",
    "dawn", "deep", "delta", "depth", "desert", "detail", "direct", "distant", "dream", "drift",
    "drive", "early", "earth", "east", "echo", "edge", "eight", "elder", "ember", "empty",
    "engine", "evening", "every", "fabric", "fair", "family", "farm", "father", "feather",
    "fence", "field", "final", "fire", "first", "flame", "flat", "flight", "floor", "flower",
    "fog", "follow", "forest", "fork", "forward", "fresh", "friend", "frost", "fruit", "future",
    "garden", "gate", "gentle", "glass", "globe", "gold", "grain", "grand", "grass", "gravel",
    "green", "ground", "group", "guide", "habit", "half", "hammer", "harbor", "hazel", "heart",
    "heavy", "hill", "hollow", "honey", "horizon", "horse", "house", "human", "ice", "idea",
    "inner", "iron", "island", "ivory", "jacket", "january", "jewel", "journey", "june", "jungle",
    "kettle", "kind", "kitchen", "known", "ladder", "lake", "lamp", "large", "late", "layer",
    "leaf", "lemon", "letter", "level", "light", "lime", "linen", "liquid", "little", "local",
    "long", "lower", "lunar", "maple", "march", "margin", "market", "meadow", "meet", "metal",
    "middle", "mild", "milk", "mineral", "minute", "mirror", "model", "moment", "moon", "morning",
    "mother", "motor", "mountain", "music", "narrow", "native", "near", "needle", "never",
    "night", "noble", "north", "note", "number", "oak", "ocean", "october", "offer", "olive",
    "onion", "open", "orange", "orbit", "order", "other", "outer", "oval", "paint", "palm",
    "paper", "park", "path", "pattern", "pearl", "pencil", "people", "pepper", "piano", "pilot",
    "pine", "place", "plain", "planet", "plant", "plate", "point", "pond", "position", "power",
    "present", "prime", "public", "purple", "quarter", "quick", "quiet", "radio", "rail", "rain",
    "river",
];

/// Bytes that are copied for a word, whatever its length: at once, where a copy of its length would be a call.
const WIDE: usize = 16;

/// The words with blanks behind them.
static PADDED: [[u8; WIDE]; WORDS.len()] = padded();

const fn padded() -> [[u8; WIDE]; WORDS.len()] {
    let mut all = [[b' '; WIDE]; WORDS.len()];
    let mut word = 0;
    while word < WORDS.len() {
        let letters = WORDS[word].as_bytes();
        let mut at = 0;
        while at < letters.len() {
            all[word][at] = letters[at];
            at += 1;
        }
        word += 1;
    }
    all
}

/// Appends the word at a place of the list; nothing where it has none.
pub(super) fn write_word(at: usize, out: &mut Vec<u8>) {
    if let (Some(padded), Some(word)) = (PADDED.get(at), WORDS.get(at)) {
        let end = out.len() + word.len();
        out.extend_from_slice(padded);
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_appended_without_its_blanks() {
        for (at, word) in WORDS.iter().enumerate() {
            let mut out = b"x".to_vec();
            write_word(at, &mut out);
            assert_eq!(out, format!("x{word}").into_bytes());
        }
        let mut out = Vec::new();
        write_word(WORDS.len(), &mut out);
        assert!(out.is_empty());
    }
}
