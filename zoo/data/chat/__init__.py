"""Conversations: messages, chat templates, and the token ids of both."""
