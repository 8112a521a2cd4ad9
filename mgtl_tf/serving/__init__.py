"""The localizer over HTTP: a page for people, an endpoint for programs."""
