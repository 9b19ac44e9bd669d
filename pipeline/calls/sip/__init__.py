"""SIP dialogs to legs: messages of many branches and sides become one account of a call."""
