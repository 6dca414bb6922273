/** Ids that only the policies below may have. */
export const BUILTIN_PREFIX = 'mayfly:'

/**
 * Evaluated with every request, whatever set is applied: nobody can drop them. They use only facts
 * that are always present, since a forbid that fails to evaluate forbids nothing.
 *
 * The CI events (R7) run a workflow of the trusted repository on somebody else's input. A token
 * does not say whether a pull request came from a fork, so all of them count.
 */
export const BUILTIN_GUARDRAILS = `
@id("mayfly:quarantine")
@reason("this agent is quarantined")
forbid(principal is Mayfly::Agent, action, resource)
  when { principal.quarantined };

@id("mayfly:review-overdue")
@reason("the review of this scope template is overdue")
forbid(principal, action, resource)
  when { context.template.reviewBy < context.now };

@id("mayfly:environment")
@reason("agent, issuer, template and connection are not all of one environment")
forbid(principal is Mayfly::Agent, action, resource)
  unless {
    principal.env == context.template.env &&
    resource.env == context.template.env &&
    principal.issuerEnvs.contains(context.template.env)
  };

@id("mayfly:untrusted-event")
@reason("this CI event runs untrusted code, and the scope template does not name it")
forbid(
  principal is Mayfly::Agent,
  action in [
    Mayfly::Action::"repo.write",
    Mayfly::Action::"package.publish",
    Mayfly::Action::"secret.read",
    Mayfly::Action::"infra.change",
    Mayfly::Action::"terminal.exec"
  ],
  resource
)
  when {
    principal.claims has event_name &&
    [
      "pull_request",
      "pull_request_target",
      "pull_request_review",
      "pull_request_review_comment",
      "issues",
      "issue_comment",
      "discussion",
      "discussion_comment",
      "workflow_run",
      "fork"
    ].contains(principal.claims.event_name) &&
    !context.template.events.contains(principal.claims.event_name)
  };

@id("mayfly:immutable-identity")
@reason("a high-risk scope template is only for agents that are recognised by immutable ids")
forbid(principal is Mayfly::Agent, action, resource)
  when { context.template.risk == "high" && !principal.immutable };
`
