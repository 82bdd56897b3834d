// The Live Link source of this process' own heads: components push their subjects through it.  Game thread.
#pragma once

#include "CoreMinimal.h"

#include "VisavisSubject.h"

namespace VisavisLocalSource
{
	/** A subject of the shared source, which is added with the first one.  Null: there is no Live Link, as the log says. */
	TUniquePtr<FVisavisSubject> MakeSubject(FName Name, const FVisavisConnection& Layout);
}  // namespace VisavisLocalSource
