"""Forms: pages of one layout as named fields. A template says where they are and what they may hold; ``docs/forms.md``."""
