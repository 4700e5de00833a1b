-- Health of MetaApps, OnboardingRequests and WhatsAppChannels for Argo CD, by their status contract:
--   Stalled                        Degraded     only a person can help, and the message says how
--   Reconciling, being deleted     Progressing  the operator works, or will try again by itself
--   Ready                          Healthy
--   neither of them                Suspended    waits for a named person, or spec.suspend is true
local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function isTrue(name)
  return found[name] ~= nil and found[name].status == "True"
end

local function health(word, condition)
  return {status = word, message = condition.reason .. ": " .. condition.message}
end

local ready = found.Ready
if ready == nil then
  return {status = "Progressing", message = "The operator has not looked at this object yet."}
end
if isTrue("Stalled") and ready.observedGeneration == obj.metadata.generation then
  return health("Degraded", found.Stalled)
end
if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", ready)
end
if ready.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at the latest change yet."}
end
if isTrue("Reconciling") then
  return health("Progressing", found.Reconciling)
end
if isTrue("Ready") then
  return health("Healthy", ready)
end
return health("Suspended", ready)
