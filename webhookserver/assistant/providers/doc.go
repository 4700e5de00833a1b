// Package providers calls chat models of other companies behind one small interface.
//
// One adapter speaks the chat completions API of OpenAI, which Azure OpenAI, vLLM, Ollama, LiteLLM and many gateways
// speak as well. Every failure becomes an *Error with a Kind that says whether the credential, the model's name, a
// limit or the provider is the reason; its text holds neither the key nor anything that the provider wrote.
//
// The package does not retry, does not choose what to ask and does not read the environment. Which addresses may be
// reached is up to the http.Client that it is given; see package egress.
package providers
