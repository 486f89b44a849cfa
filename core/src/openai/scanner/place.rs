//! Where in a request body a value stands, as far as that matters.

/// What a value is to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing is read from it, nor from anything inside it.
    Elsewhere,
    /// The body's object.
    Body,
    Model,
    Stream,
    StreamOptions,
    IncludeUsage,
    ContinuousUsage,
    MaxTokens,
    MaxCompletionTokens,
    User,
    Prompt,
    /// A prompt in an array of prompts.
    PromptItem,
    Messages,
    Message,
    Input,
    /// An item of `input`.
    Item,
    ItemType,
    /// A message's or an item's `role`.
    Role,
    /// A message's or an item's `content`.
    Content,
    System,
    Instructions,
    /// A part of a `content` or `system` that is an array.
    Part,
    PartType,
    PartText,
}

impl Place {
    /// The place of a member of the object at this place.
    pub(super) fn member(self, name: &[u8]) -> Self {
        match (self, name) {
            (Self::Body, b"model") => Self::Model,
            (Self::Body, b"stream") => Self::Stream,
            (Self::Body, b"stream_options") => Self::StreamOptions,
            (Self::Body, b"max_tokens") => Self::MaxTokens,
            (Self::Body, b"max_completion_tokens") => Self::MaxCompletionTokens,
            (Self::Body, b"user") => Self::User,
            (Self::Body, b"prompt") => Self::Prompt,
            (Self::Body, b"messages") => Self::Messages,
            (Self::Body, b"input") => Self::Input,
            (Self::Body, b"system") => Self::System,
            (Self::Body, b"instructions") => Self::Instructions,
            (Self::StreamOptions, b"include_usage") => Self::IncludeUsage,
            (Self::StreamOptions, b"continuous_usage_stats") => Self::ContinuousUsage,
            (Self::Message | Self::Item, b"role") => Self::Role,
            (Self::Message | Self::Item, b"content") => Self::Content,
            (Self::Item, b"type") => Self::ItemType,
            (Self::Part, b"type") => Self::PartType,
            (Self::Part, b"text") => Self::PartText,
            _ => Self::Elsewhere,
        }
    }

    /// The place of an element of the array at this place.
    pub(super) fn element(self) -> Self {
        match self {
            Self::Prompt => Self::PromptItem,
            Self::Messages => Self::Message,
            Self::Input => Self::Item,
            Self::Content | Self::System => Self::Part,
            _ => Self::Elsewhere,
        }
    }
}
