//! What a podcast says of itself beyond what its section says: the facts that
//! directories ask for, and the categories they know.

use url::Url;

/// A section's podcast feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Podcast {
    /// Who can be asked about it.
    pub owner_name: String,
    /// Where; directories write there to prove who owns the feed.
    pub owner_email: String,
    /// What it is about.
    pub category: Category,
    /// Whether its episodes need the warning of explicit content.
    pub is_explicit: bool,
    /// The cover: absolute URL of a square JPEG or PNG, 1400 to 3000 pixels wide.
    pub image: Url,
    /// A UUID that stays with the podcast wherever it moves.
    pub guid: String,
    /// Whether other hosts are asked not to import it.
    pub is_locked: bool,
}

/// A category of Apple's list, which the other directories use too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Category {
    /// Such as `Arts`.
    pub main: &'static str,
    /// Such as `Food`.
    pub sub: Option<&'static str>,
}

impl Category {
    /// Reads `Arts`, `Arts / Food` or `Food`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(['/', '>']).map(str::trim).collect();
        let find = |main: &str, sub: &str| {
            CATEGORIES
                .iter()
                .filter(|(name, _)| main.is_empty() || name.eq_ignore_ascii_case(main))
                .find_map(|(name, subs)| {
                    let sub = subs.iter().find(|known| known.eq_ignore_ascii_case(sub))?;
                    Some(Self {
                        main: name,
                        sub: Some(sub),
                    })
                })
        };
        match parts[..] {
            [main, sub] if !main.is_empty() => find(main, sub),
            [one] => CATEGORIES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(one))
                .map(|(main, _)| Self { main, sub: None })
                .or_else(|| find("", one)),
            _ => None,
        }
    }

    /// The known name nearest to `text`.
    #[must_use]
    pub fn nearest(text: &str) -> Option<&'static str> {
        let last = text.rsplit(['/', '>']).next().unwrap_or(text).trim();
        let names = CATEGORIES
            .iter()
            .flat_map(|(main, subs)| std::iter::once(*main).chain(subs.iter().copied()));
        crate::domain::problem::suggestion(last, names)
    }
}

/// Apple Podcasts categories, each with its subcategories.
const CATEGORIES: [(&str, &[&str]); 19] = [
    (
        "Arts",
        &[
            "Books",
            "Design",
            "Fashion & Beauty",
            "Food",
            "Performing Arts",
            "Visual Arts",
        ],
    ),
    (
        "Business",
        &[
            "Careers",
            "Entrepreneurship",
            "Investing",
            "Management",
            "Marketing",
            "Non-Profit",
        ],
    ),
    ("Comedy", &["Comedy Interviews", "Improv", "Stand-Up"]),
    (
        "Education",
        &["Courses", "How To", "Language Learning", "Self-Improvement"],
    ),
    ("Fiction", &["Comedy Fiction", "Drama", "Science Fiction"]),
    ("Government", &[]),
    (
        "Health & Fitness",
        &[
            "Alternative Health",
            "Fitness",
            "Medicine",
            "Mental Health",
            "Nutrition",
            "Sexuality",
        ],
    ),
    ("History", &[]),
    (
        "Kids & Family",
        &[
            "Education for Kids",
            "Parenting",
            "Pets & Animals",
            "Stories for Kids",
        ],
    ),
    (
        "Leisure",
        &[
            "Animation & Manga",
            "Automotive",
            "Aviation",
            "Crafts",
            "Games",
            "Hobbies",
            "Home & Garden",
            "Video Games",
        ],
    ),
    (
        "Music",
        &["Music Commentary", "Music History", "Music Interviews"],
    ),
    (
        "News",
        &[
            "Business News",
            "Daily News",
            "Entertainment News",
            "News Commentary",
            "Politics",
            "Sports News",
            "Tech News",
        ],
    ),
    (
        "Religion & Spirituality",
        &[
            "Buddhism",
            "Christianity",
            "Hinduism",
            "Islam",
            "Judaism",
            "Religion",
            "Spirituality",
        ],
    ),
    (
        "Science",
        &[
            "Astronomy",
            "Chemistry",
            "Earth Sciences",
            "Life Sciences",
            "Mathematics",
            "Natural Sciences",
            "Nature",
            "Physics",
            "Social Sciences",
        ],
    ),
    (
        "Society & Culture",
        &[
            "Documentary",
            "Personal Journals",
            "Philosophy",
            "Places & Travel",
            "Relationships",
        ],
    ),
    (
        "Sports",
        &[
            "Baseball",
            "Basketball",
            "Cricket",
            "Fantasy Sports",
            "Football",
            "Golf",
            "Hockey",
            "Rugby",
            "Running",
            "Soccer",
            "Swimming",
            "Tennis",
            "Volleyball",
            "Wilderness",
            "Wrestling",
        ],
    ),
    ("Technology", &[]),
    ("True Crime", &[]),
    (
        "TV & Film",
        &[
            "After Shows",
            "Film History",
            "Film Interviews",
            "Film Reviews",
            "TV Reviews",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_found_by_either_name_and_nothing_else() {
        let food = Some(Category {
            main: "Arts",
            sub: Some("Food"),
        });
        for text in ["Arts / Food", "arts>food", " Food "] {
            assert_eq!(Category::parse(text), food, "{text}");
        }
        assert_eq!(Category::parse("Arts").map(|c| c.sub), Some(None));
        for text in ["", "/", "Music / Food", "Arts / Food / Soup", "Soup"] {
            assert_eq!(Category::parse(text), None, "{text}");
        }
        assert_eq!(Category::nearest("Arts / Foods"), Some("Food"));
    }
}
